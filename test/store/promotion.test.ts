import { randomUUID } from 'node:crypto';
import { chown, stat, writeFile } from 'node:fs/promises';
import { genesis, StoreUnavailable } from '@touchstone/core';
import { type LocalPostgres, startPostgres } from '@touchstone/local-stack';
import { census } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { issuedEvent, mint } from './minted.ts';
import { revokeAll } from './revoke.ts';

const fenceMilliseconds = 2_000;
let store: TestDatabase;
let running: LocalPostgres;
beforeAll(async () => {
  store = await openTestDatabase();
  running = store.postgres;
});
afterAll(async () => {
  await running?.stop();
  await store?.[Symbol.asyncDispose]();
});

async function restart(): Promise<void> {
  const { dataDir, port } = running;
  await running.stop();
  running = await startPostgres({ dataDir, port });
}

/** Ends its recovery as a standby does when it is promoted: on a timeline of its own. */
async function promote(): Promise<void> {
  const { dataDir } = running;
  await store.database.query({ text: `alter system set restore_command = 'false'` });
  await writeFile(`${dataDir}/recovery.signal`, '');
  const { uid, gid } = await stat(dataDir);
  await chown(`${dataDir}/recovery.signal`, uid, gid);
  await restart();
  const recovering = () => store.database.query({ text: 'select pg_is_in_recovery()' });
  await expect.poll(recovering, { timeout: 20_000 }).toEqual([[false]]);
}

const replica = { instanceId: 'one', service: 'validator', address: '', build: '' };
const beat = () => census(store.database, replica, fenceMilliseconds).beat(genesis);
const another = (instanceId: string, fence: number) => census(store.database, { ...replica, instanceId }, fence);

async function issue(): Promise<boolean> {
  const record = await mint(store);
  return store.tokens.insert(record, issuedEvent(record));
}

let revocations = 0;
const revoke = () => revokeAll(store, `r${++revocations}`);

async function expectHeld(): Promise<void> {
  await expect(issue()).rejects.toThrow(StoreUnavailable);
  await expect(revoke()).rejects.toThrow(StoreUnavailable);
}

/** Beats until revocations are taken. */
async function untilTaken(): Promise<void> {
  const taken = async () => {
    await beat();
    return revoke().then(
      () => true,
      () => false,
    );
  };
  await expect.poll(taken, { timeout: 10_000 }).toBe(true);
}

test('a promoted primary takes neither tokens nor revocations until the fence has run out since it was noticed', async () => {
  await beat();
  expect(await issue()).toBe(true);
  const { revocationId } = await revokeAll(store, 'before');
  const used = { partition: 0, key: randomUUID() };
  const text = `insert into refresh_use (id, used_at, request, answer, expires_at) values ($1, now(), '', '', now())`;
  await store.database.query({ text, values: [used.key] });
  await promote();
  await expectHeld();
  // Of what is there already, too: it may be on no other server.
  await expect(revokeAll(store, 'before')).rejects.toThrow(StoreUnavailable);
  await expect(store.tokens.findUse(used)).rejects.toThrow(StoreUnavailable);
  const noticed = performance.now();
  await beat();
  await expectHeld();
  // Later beats do not begin it anew.
  await untilTaken();
  expect(performance.now() - noticed).toBeGreaterThan(fenceMilliseconds);
  expect(await issue()).toBe(true);
  expect(await revokeAll(store, 'before')).toMatchObject({ revocationId });
  expect(await store.tokens.findUse(used)).not.toBeNull();
});

test('a clock that was set back since the promotion was noticed holds writes back for a fence, counted anew', async () => {
  await beat();
  const text = `update promotion set writes_from = now() + interval '1 hour'`;
  await store.database.query({ text });
  await expectHeld();
  const noticed = performance.now();
  await untilTaken();
  expect(performance.now() - noticed).toBeGreaterThan(fenceMilliseconds);
});

test('a restart holds nothing back', async () => {
  await beat();
  await restart();
  expect(await issue()).toBe(true);
  expect((await revoke()).head.revision).toBeGreaterThan(0);
});

test('where fences differ the longest of those who may still answer counts', async () => {
  const gone = another('gone', 3_600_000);
  await gone.beat(genesis);
  await gone.leave();
  await another('longest', 2 * fenceMilliseconds).beat(genesis);
  await promote();
  const noticed = performance.now();
  await untilTaken();
  expect(performance.now() - noticed).toBeGreaterThan(2 * fenceMilliseconds);
});
