import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AuditEvent,
  Disabled,
  type NewSigningKey,
  type PublicSigningKey,
  publishedKeysMax,
  type Rotation,
  TooManySigningKeys,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { dataKeyStore, signingKeyStore } from '@touchstone/store-postgres';
import { DataKeys, fileKeyEncryption, rotateDue, signers, signingKeyMaker } from '@touchstone/token-methods';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { unique } from '../harness/world.ts';
import { actor } from './minted.ts';
import { revokeAll, revokeOne } from './revoke.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store?.[Symbol.asyncDispose]());

const encryption = fileKeyEncryption(randomBytes(32));
const openDataKeys = () => new DataKeys(dataKeyStore(store.database), [encryption]);
const isNoneDead = () => false;
const openSigningKeys = (mac = store.keys.mac, isDead: (key: PublicSigningKey) => boolean = isNoneDead) =>
  signingKeyStore(store.database, { mac, codec: auditCodec, instanceId: unique('test'), isDead });

async function addTenant(): Promise<string> {
  const tenantId = unique('tenant');
  const text = `insert into tenant (tenant_id, entry, mac) values ($1, '', '')`;
  await store.database.query({ text, values: [tenantId] });
  return tenantId;
}

const pairOf = (tenantId: string): Promise<Rotation['pair']> =>
  signingKeyMaker(openDataKeys()).makePair(tenantId, 'EdDSA');
const eventOf =
  (tenantId: string) =>
  (id: string): AuditEvent => ({
    tenantId,
    actor,
    act: { type: 'registry_changed', what: 'signing_key', id, change: 'activated', reason: '' },
  });
const rotate = async (tenantId: string, replaces?: string | null, keys = openSigningKeys()) =>
  keys.rotate(
    { tenantId, pair: await pairOf(tenantId), ...(replaces === undefined ? {} : { replaces }) },
    eventOf(tenantId),
  );
/** As if its keys had been there for an hour: verifiers know them. */
const age = (tenantId: string) =>
  store.database.query({
    text: `update signing_key set created_at = created_at - interval '1 hour' where tenant_id = $1`,
    values: [tenantId],
  });
const versionOf = async (tenantId: string) => {
  const text = 'select registry_version from tenant where tenant_id = $1';
  return (await store.database.query({ text, values: [tenantId] }))[0]?.[0] as number;
};

test('replicas that need the same data key at once agree on one', async () => {
  const made = await Promise.all(Array.from({ length: 10 }, () => openDataKeys().current('signing')));
  expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  const wrapped = made[0]?.wrap(Buffer.from('a key'), 'context');
  const found = wrapped && (await openDataKeys().find(wrapped.dataKeyId));
  expect(found?.unwrap(wrapped?.wrapped as Buffer, 'context')?.toString()).toBe('a key');
  expect(await openDataKeys().find('another')).toBeNull();
});

test('the first rotation gives a tenant two keys, each later one lets the next sign, and none is lost', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  expect(await keys.active(tenantId)).toBeNull();
  const first = await rotate(tenantId);
  const second = await rotate(tenantId);
  expect(second.active.keyId).toBe(first.next.keyId);
  expect(await keys.active(tenantId)).toMatchObject({ keyId: second.active.keyId, state: 'active' });
  const all = await keys.listPublic(tenantId);
  expect(all.map(({ state }) => state).sort()).toEqual(['active', 'next', 'retired']);
  const published = (await keys.listPublished()).filter((key) => key.tenantId === tenantId);
  expect(published.map(({ keyId }) => keyId).sort()).toEqual(all.map(({ keyId }) => keyId).sort());
});

test('who rotates for a key that is not the active one any more changes nothing', async () => {
  const tenantId = await addTenant();
  const raced = await Promise.all(Array.from({ length: 5 }, () => rotate(tenantId, null)));
  expect(new Set(raced.map(({ active }) => active.keyId)).size).toBe(1);
  const [{ active }] = raced as [(typeof raced)[0]];
  const version = await versionOf(tenantId);
  await age(tenantId);
  const again = await Promise.all(Array.from({ length: 5 }, () => rotate(tenantId, active.keyId)));
  expect(new Set(again.map((one) => one.active.keyId)).size).toBe(1);
  expect(await openSigningKeys().listPublic(tenantId)).toHaveLength(3);
  expect(await versionOf(tenantId)).toBeGreaterThan(version);
});

test('while as many keys as may be are published nobody gets one for the asking; one that is due, or the first, comes', async () => {
  const [tenantId, other, keys] = [await addTenant(), await addTenant(), openSigningKeys()];
  for (let rotations = 1; rotations < publishedKeysMax; rotations++) await rotate(tenantId);
  const full = await keys.listPublic(tenantId);
  expect(full).toHaveLength(publishedKeysMax);
  const version = await versionOf(tenantId);
  await expect(rotate(tenantId)).rejects.toThrow(TooManySigningKeys);
  expect(await keys.listPublic(tenantId)).toEqual(full);
  expect(await versionOf(tenantId)).toBe(version);
  await rotate(other);

  const activeId = async () => (await keys.active(tenantId))?.keyId ?? null;
  await age(tenantId);
  await rotate(tenantId, await activeId());
  expect(await keys.listPublic(tenantId)).toHaveLength(publishedKeysMax + 1);
  const change = (what: string, keyId: string | null) =>
    store.database.query({ text: `update signing_key set ${what} where signing_key_id = $1`, values: [keyId] });
  await change('disabled_revision = 1', await activeId());
  await rotate(tenantId, null);
  expect(await activeId()).not.toBeNull();

  await expect(rotate(tenantId)).rejects.toThrow('revoke one, or wait until one has been retired for 90 days');
  const retired = (await keys.listPublic(tenantId)).filter(({ state }) => state === 'retired');
  await change('disabled_revision = 1', retired[0]?.keyId ?? null);
  await change(`retired_at = now() - interval '91 days'`, retired[1]?.keyId ?? null);
  await rotate(tenantId);
  await expect(rotate(tenantId)).rejects.toThrow(TooManySigningKeys);
});

test('what has signed for long enough is due, once verifiers know the next one', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  const { active } = await rotate(tenantId);
  const dueAfter = async (milliseconds: number) =>
    (await keys.listDue(milliseconds)).filter((key) => key.tenantId === tenantId);
  await sleep(5);
  expect(await dueAfter(1)).toEqual([]);
  await age(tenantId);
  expect(await dueAfter(60_000)).toEqual([]);
  await expect.poll(() => dueAfter(1)).toMatchObject([{ keyId: active.keyId }]);
});

test('what is due is rotated, by whichever issuer comes first', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  const { active, next } = await rotate(tenantId);
  await age(tenantId);
  await sleep(5);
  await Promise.all([1, 2, 3].map(() => rotateDue(openSigningKeys(), openDataKeys(), 2, isNoneDead)));
  expect((await keys.findPublic(active.keyId, [tenantId]))?.state).toBe('retired');
  expect((await keys.findPublic(next.keyId, [tenantId]))?.state).not.toBe('next');
  expect(await rotateDue(keys, openDataKeys(), 3_600_000, isNoneDead)).toBe(0);
});

test('a next key that was revoked is replaced, and its successor published for a while before it signs', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  const { active, next } = await rotate(tenantId);
  const text = 'update signing_key set disabled_revision = 1 where signing_key_id = $1';
  await store.database.query({ text, values: [next.keyId] });
  await sleep(5);
  const version = await versionOf(tenantId);
  const look = async () => {
    await rotateDue(openSigningKeys(), openDataKeys(), 2, isNoneDead);
    const all = await keys.listPublic(tenantId);
    return Object.fromEntries(all.map(({ state, keyId }) => [state, keyId]));
  };
  const states = await look();
  const { next: successor } = states;
  expect(states).toEqual({ active: active.keyId, next: expect.any(String), revoked: next.keyId });
  expect((await keys.listPublished()).map(({ keyId }) => keyId)).toContain(successor);
  expect(await look()).toEqual(states);
  expect((await rotate(tenantId, active.keyId)).next.keyId).toBe(successor);
  expect(await versionOf(tenantId)).toBe(version);
  await age(tenantId);
  expect(await look()).toMatchObject({ active: successor, retired: active.keyId });
});

test('nothing is waited for where the active key is dead, whatever its row says', async () => {
  const tenantId = await addTenant();
  const { active, next } = await rotate(tenantId);
  const keys = openSigningKeys(store.keys.mac, ({ keyId }) => keyId === active.keyId);
  expect((await rotate(tenantId, active.keyId, keys)).active.keyId).toBe(next.keyId);
});

test('a tenant that was disabled gets no key any more, whatever was listed before', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  const { active } = await rotate(tenantId);
  await store.database.query({
    text: 'update tenant set disabled_revision = 1 where tenant_id = $1',
    values: [tenantId],
  });
  const before = await keys.listPublic(tenantId);
  const version = await versionOf(tenantId);
  for (const replaces of [undefined, null, active.keyId]) {
    await expect(rotate(tenantId, replaces)).rejects.toThrow('the tenant is disabled');
  }
  expect(await keys.listPublic(tenantId)).toEqual(before);
  expect(await versionOf(tenantId)).toBe(version);
  // As after an erasure.
  await store.database.query({ text: 'delete from signing_key where tenant_id = $1', values: [tenantId] });
  await expect(rotate(tenantId, active.keyId)).rejects.toThrow('the tenant is disabled');
  expect(await keys.listPublic(tenantId)).toEqual([]);
});

test('keys that are dead are not rotated, and keep no other one from it', async () => {
  const [dead, alive] = [await addTenant(), await addTenant()];
  for (const tenantId of [dead, alive]) {
    await rotate(tenantId);
    await age(tenantId);
  }
  await sleep(5);
  await rotateDue(openSigningKeys(), openDataKeys(), 2, ({ tenantId }) => tenantId === dead);
  expect(await openSigningKeys().listPublic(dead)).toHaveLength(2);
  expect(await openSigningKeys().listPublic(alive)).toHaveLength(3);
});

test('what is due is rotated also where another one can not be', async () => {
  const [failing, other] = [await addTenant(), await addTenant()];
  for (const tenantId of [failing, other]) {
    await rotate(tenantId);
    await age(tenantId);
  }
  await sleep(5);
  const keys = openSigningKeys();
  const failsForOne: typeof keys = {
    ...keys,
    listDue: async (milliseconds) =>
      (await keys.listDue(milliseconds))
        .filter(({ tenantId }) => [failing, other].includes(tenantId))
        .sort(({ tenantId }) => (tenantId === failing ? -1 : 1)),
    rotate: async (rotation, event) => {
      if (rotation.tenantId === failing) throw new Disabled('tenant');
      return keys.rotate(rotation, event);
    },
  };
  await expect(rotateDue(failsForOne, openDataKeys(), 2, isNoneDead)).rejects.toThrow(Disabled);
  expect(await keys.listPublic(failing)).toHaveLength(2);
  expect(await keys.listPublic(other)).toHaveLength(3);
});

test('a key that was written under another key, or changed, is not there', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  await rotate(
    tenantId,
    null,
    openSigningKeys((...parts) => `${parts.length}`),
  );
  const written = { text: 'select state from signing_key where tenant_id = $1 order by state', values: [tenantId] };
  expect(await store.database.query(written)).toEqual([['active'], ['next']]);
  expect([await keys.active(tenantId), await keys.listPublic(tenantId)]).toEqual([null, []]);
  const mine = await addTenant();
  const { active } = await rotate(mine);
  const [stolen] = await pairOf(mine);
  const change = (column: string, value: string) =>
    store.database.query({
      text: `update signing_key set ${column} = $1 where signing_key_id = $2`,
      values: [value, active.keyId],
    });
  expect(await keys.findPublic(active.keyId, [mine])).not.toBeNull();
  await change('public_jwk', (stolen as NewSigningKey).publicJwk);
  expect(await keys.findPublic(active.keyId, [mine])).toBeNull();
  await change('public_jwk', active.publicJwk);
  await change('tenant_id', await addTenant());
  expect(await keys.findPublic(active.keyId, [mine])).toBeNull();
});

test('a revoked key signs no more and is not published; the next one takes its place, whatever is rotated meanwhile', async () => {
  const [tenantId, keys] = [await addTenant(), openSigningKeys()];
  await rotate(tenantId);
  for (let turn = 0; turn < 10; turn++) {
    const { keyId = '' } = (await keys.active(tenantId)) ?? (await rotate(tenantId, null)).active;
    const target = { kind: 'signing_key', key: keyId } as const;
    const cuts = [{ ...target, tokenClass: 'token' }] as const;
    const disables = { what: 'signing_key', id: keyId } as const;
    const over = { revocationId: unique('rvk'), target, cuts, disables, token: null };
    // The rows that both take are taken in one order: else the database would end one of them.
    const key = { partition: 1, key: '0'.repeat(32) };
    await Promise.all([
      revokeOne(store, { tenantId, key }, over),
      revokeAll(store, unique('all')),
      rotate(tenantId),
      rotate(tenantId),
    ]);
    expect((await keys.findPublic(keyId, [tenantId]))?.state).toBe('revoked');
    expect((await keys.listPublished()).map((one) => one.keyId)).not.toContain(keyId);
  }
  const active = (await keys.active(tenantId)) ?? (await rotate(tenantId, null)).active;
  expect(active.state).toBe('active');
});

test('a key that is revoked before it has signed is replaced in its turn, as long as that can help', async () => {
  const keys = openSigningKeys();
  const signerWhere = (revocations: number, tenantId: string) => {
    let left = revocations;
    const revokedAtOnce: typeof keys = {
      ...keys,
      async rotate(...rotation) {
        const rotated = await keys.rotate(...rotation);
        const text = 'update signing_key set disabled_revision = 1 where signing_key_id = $1';
        if (left-- > 0) await store.database.query({ text, values: [rotated.active.keyId] });
        return rotated;
      },
    };
    return signers(revokedAtOnce, openDataKeys(), { isDead: isNoneDead }).signer(tenantId, 1);
  };
  const tenantId = await addTenant();
  const { keyId } = await signerWhere(2, tenantId);
  expect((await keys.active(tenantId))?.keyId).toBe(keyId);
  await expect(signerWhere(Infinity, await addTenant())).rejects.toThrow('no signing key');
});
