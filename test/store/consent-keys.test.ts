import { randomBytes } from 'node:crypto';
import type { NewConsent } from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { makeLogins } from '@touchstone/local-stack';
import {
  consentKeyMover,
  consentStore,
  type Database,
  dataKeyStore,
  destroyDataKey,
  openDatabase,
} from '@touchstone/store-postgres';
import { consentKeys, DataKeys, fileKeyEncryption, moveConsentKeys } from '@touchstone/token-methods';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { unique } from '../harness/world.ts';
import { actor } from './minted.ts';
import { revokeOne } from './revoke.ts';

const encryption = fileKeyEncryption(randomBytes(32));
const day = 86_400_000;
const [tenantId, appId] = ['tenant', 'app'];
let store: TestDatabase;
/** As the command's login has it. */
let own: Database;
beforeAll(async () => {
  store = await openTestDatabase();
  const { keys: url } = await makeLogins(store.postgres.adminUrl);
  own = openDatabase({ url, applicationName: 'test keys', connectionsMax: 2 });
  await store.database.query({ text: `insert into tenant (tenant_id, entry, mac) values ('${tenantId}', '', '')` });
  await store.database.query({
    text: `insert into app (app_id, tenant_id, entry, mac) values ('${appId}', '${tenantId}', '', '')`,
  });
});
afterAll(async () => {
  await own?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});
beforeEach(() => store.database.query({ text: 'delete from consent_key' }));

/** Those of an issuer: what it remembers, another one has to find. */
const openDataKeys = (database = store.database) => new DataKeys(dataKeyStore(database), [encryption]);
const consents = () =>
  consentStore(store.database, { mac: store.keys.mac, codec: auditCodec, instanceId: unique('test') });

async function record(ttl = 3_600, dataKeys = openDataKeys()): Promise<string> {
  const consentId = unique('con');
  const consent: NewConsent = {
    consentId,
    tenantId,
    appId,
    userHandle: 'handle',
    grants: [{ audience: 'a', scopes: ['read'] }],
    ttl,
    idempotencyKey: consentId,
    key: await consentKeys(dataKeys).create(consentId),
  };
  const act = {
    type: 'consent_recorded',
    consentId,
    appId,
    userHandle: 'handle',
    grants: consent.grants,
    ttl,
  } as const;
  await consents().record(consent, { tenantId, actor, act });
  return consentId;
}

/** A consent's key, in the open; null: it is gone. */
async function keyOf(consentId: string): Promise<string | null> {
  const found = await consents().findWithKey(consentId, tenantId);
  const key = found?.key ? await consentKeys(openDataKeys()).unwrap(consentId, found.key) : null;
  return key?.toString('hex') ?? null;
}

const withdraw = (consentId: string) => {
  const target = { kind: 'consent', key: consentId } as const;
  const cuts = [{ ...target, tokenClass: 'token' }] as const;
  const over = { revocationId: unique('rvk'), target, cuts, disables: { what: 'consent', id: consentId } as const };
  return revokeOne(store, { tenantId, key: { partition: 1, key: '0'.repeat(32) } }, { ...over });
};

/** The data key that wraps what is new has been doing so for this long. */
async function age(days: number): Promise<string> {
  const text = `update data_key set created_at = now() - $1 * interval '1 day' where data_key_id = $2`;
  const { id } = await openDataKeys().current('consent');
  await store.database.query({ text, values: [days, id] });
  return id;
}

const move = (days = 0, mover = consentKeyMover(own)) =>
  moveConsentKeys(mover, openDataKeys(own), days * day, () => {});

const used = async (): Promise<string[]> =>
  (await store.database.query({ text: 'select distinct data_key_id from consent_key order by 1' })).map(
    ([id]) => id as string,
  );

test('the keys of living consents are the same under the present data key, and the old one can be destroyed', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => record()));
  const before = await Promise.all(ids.map(keyOf));
  const old = await age(31);
  expect(await move()).toEqual({ moved: 20, deleted: 0, unreadable: [] });
  expect(await used()).toEqual([(await openDataKeys().current('consent')).id]);
  expect(await destroyDataKey(store.database, old)).toBe('destroyed');
  expect(await Promise.all(ids.map(keyOf))).toEqual(before);
  expect(await move()).toEqual({ moved: 0, deleted: 0, unreadable: [] });
});

test('what younger data keys wrapped stays', async () => {
  await record();
  const young = await age(31);
  await record();
  expect(await move(32)).toMatchObject({ moved: 0 });
  expect(await used()).toContain(young);
  expect(await move(30)).toMatchObject({ moved: 1 });
  expect(await used()).not.toContain(young);
});

test('the key of a consent that has ended goes, a day later, by both clocks', async () => {
  const [living, ended] = [await record(), await record(1)];
  await age(31);
  const end = (milliseconds: number) =>
    store.database.query({
      text: `update consent set expires_at = now() - $1 * interval '1 millisecond' where consent_id = $2`,
      values: [milliseconds, ended],
    });
  const stored = async (id: string) =>
    (await store.database.query({ text: 'select from consent_key where consent_id = $1', values: [id] })).length;
  await end(day - 60_000);
  expect(await move()).toMatchObject({ moved: 2, deleted: 0 });
  await age(31);
  await end(day + 60_000);
  const mover = consentKeyMover(own);
  // By a clock that is behind it has not ended.
  const late = {
    ...mover,
    keysAfter: (after: string, ids: readonly string[]) => mover.keysAfter(after, ids, Date.now() - day),
  };
  expect(await move(0, late)).toMatchObject({ moved: 2, deleted: 0 });
  await age(31);
  expect(await move()).toMatchObject({ moved: 1, deleted: 1 });
  expect([await stored(living), await stored(ended)]).toEqual([1, 0]);
});

test('a key that does not unwrap is named, and stays', async () => {
  const [good, bad] = [await record(), await record()];
  const text = 'update consent_key set wrapped = $1 where consent_id = $2';
  await store.database.query({ text, values: [randomBytes(60), bad] });
  await age(31);
  expect(await move()).toEqual({ moved: 1, deleted: 0, unreadable: [bad] });
  expect(await keyOf(good)).not.toBeNull();
});

test('a key that is deleted while it is moved does not come back, and one that comes meanwhile is moved, too', async () => {
  const ids = await Promise.all(Array.from({ length: 300 }, () => record()));
  const before = new Map(await Promise.all(ids.map(async (id) => [id, await keyOf(id)] as const)));
  const old = await age(31);
  const withdrawn = ids.filter((_, i) => i % 2 === 0);
  const mover = consentKeyMover(own);
  let late = '';
  const interrupted = {
    ...mover,
    async replace(keys: Parameters<typeof mover.replace>[0]) {
      if (late) return mover.replace(keys);
      // By an issuer that had the data key in hand.
      late = await record(3_600, { current: () => openDataKeys().find(old) } as unknown as DataKeys);
      // Between reading and writing, and while it is written.
      await Promise.all(withdrawn.slice(0, 75).map(withdraw));
      const [count] = await Promise.all([mover.replace(keys), ...withdrawn.slice(75).map(withdraw)]);
      return count;
    },
  };
  await move(0, interrupted);
  for (const id of ids) expect(await keyOf(id)).toBe(withdrawn.includes(id) ? null : before.get(id));
  expect(await keyOf(late)).not.toBeNull();
  expect(await destroyDataKey(store.database, old)).toBe('destroyed');
});

test('what somebody else holds is left to the next look, without waiting for it', async () => {
  const [held, free] = [await record(), await record()];
  const old = await age(31);
  const client = await store.database.connect();
  try {
    await client.query('begin');
    await client.query('select from consent_key where consent_id = $1 for update', [held]);
    const moving = move();
    const wrappedBy = async (id: string) => (await consents().findWithKey(id, tenantId))?.key?.dataKeyId;
    await expect.poll(() => wrappedBy(free)).not.toBe(old);
    expect(await wrappedBy(held)).toBe(old);
    await client.query('rollback');
    expect(await moving).toMatchObject({ moved: 2 });
    expect(await wrappedBy(held)).not.toBe(old);
  } finally {
    await client.end();
  }
});
