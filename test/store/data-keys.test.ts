import { randomBytes, randomUUID } from 'node:crypto';
import type { StoredDataKey } from '@touchstone/core';
import { makeLogins } from '@touchstone/local-stack';
import { dataKeyRewrapper, dataKeyStore, destroyDataKey, openDatabase } from '@touchstone/store-postgres';
import { type DataKeyRewrapper, fileKeyEncryption, rewrapDataKeys } from '@touchstone/token-methods';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

let store: TestDatabase;
let rewrapper: DataKeyRewrapper;
beforeAll(async () => {
  store = await openTestDatabase();
  rewrapper = dataKeyRewrapper(store.database);
});
afterAll(() => store?.[Symbol.asyncDispose]());

/** One more data key, which becomes the current one. */
async function add(purpose: StoredDataKey['purpose'], keyEncryptionId = 'former'): Promise<StoredDataKey> {
  const keys = dataKeyStore(store.database);
  const dataKeyId = randomUUID();
  const before = await keys.current(purpose);
  await keys.add({ dataKeyId, purpose, keyEncryptionId, wrapped: randomBytes(60) }, before?.dataKeyId ?? null);
  return (await keys.find(dataKeyId)) as StoredDataKey;
}

test("those that another key encryption wrapped are listed whole, the installation's first", async () => {
  const consent = await add('consent');
  const installation = await add('installation');
  expect(await rewrapper.listOthers('current')).toEqual([installation, consent]);
  expect(await rewrapper.listOthers('former')).toEqual([]);
});

test("one that was wrapped by what does not wrap the installation's comes too late", async () => {
  const before = await dataKeyStore(store.database).current('consent');
  expect(await add('consent', 'another')).toBeNull();
  expect(await dataKeyStore(store.database).current('consent')).toEqual(before);
});

test('a data key is exchanged where it is as it was read, and by one of two alone', async () => {
  const key = await add('signing');
  const [one, other] = [1, 2].map(() => ({ ...key, keyEncryptionId: 'current', wrapped: randomBytes(60) }));
  const both = [one, other].map((wrapped) => rewrapper.replace(wrapped as StoredDataKey, key.wrapped));
  expect((await Promise.all(both)).sort()).toEqual([false, true]);
  const kept = await dataKeyStore(store.database).find(key.dataKeyId);
  expect([one, other]).toContainEqual(kept);
  expect(await rewrapper.replace({ ...key, dataKeyId: 'destroyed' }, key.wrapped)).toBe(false);
});

test("no service's login may do it, and the message says whose may", async () => {
  const key = await add('signing');
  const urls = await makeLogins(store.postgres.adminUrl);
  for (const role of ['issuer', 'validator', 'revocation'] as const) {
    await using database = openDatabase({ url: urls[role], applicationName: 'test', connectionsMax: 1 });
    await expect(dataKeyRewrapper(database).replace(key, key.wrapped)).rejects.toThrow('the login that migrates');
  }
});

test('a data key that did not come of the key encryption that is named beside it is left as it is', async () => {
  const [from, to] = [fileKeyEncryption(randomBytes(32)), fileKeyEncryption(randomBytes(32))];
  const forged = { ...(await add('signing')), keyEncryptionId: from.id };
  const only = { ...rewrapper, listOthers: async () => [forged] };
  await expect(rewrapDataKeys(only, [from], to, () => {})).rejects.toThrow('did not wrap the data key');
  expect(await dataKeyStore(store.database).find(forged.dataKeyId)).toMatchObject({ keyEncryptionId: 'former' });
});

test('a data key is destroyed once nothing is wrapped by it and another wraps what is new', async () => {
  const { database } = store;
  const old = await add('consent');
  expect(await destroyDataKey(database, old.dataKeyId)).toBe('current');
  await add('consent');
  await refer(old.dataKeyId);
  expect(await destroyDataKey(database, old.dataKeyId)).toBe('used');
  expect(await dataKeyStore(database).find(old.dataKeyId)).toEqual(old);
  await database.write({ text: 'delete from consent_key' });
  expect(await destroyDataKey(database, old.dataKeyId)).toBe('destroyed');
  expect(await dataKeyStore(database).find(old.dataKeyId)).toBeNull();
  expect(await destroyDataKey(database, old.dataKeyId)).toBe('absent');
});

/** A consent's key that this data key wrapped, of a consent that is none. */
const refer = (dataKeyId: string) =>
  store.database.transaction(async (query) => {
    await query({ text: 'set local session_replication_role = replica' });
    await query({ text: `insert into consent_key values ('con_1', $1, '')`, values: [dataKeyId] });
  });
