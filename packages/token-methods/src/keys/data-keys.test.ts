import { StoreUnavailable } from '@touchstone/core';
import { expect, test } from 'vitest';
import { TestDataKeyStore } from '../test-keys.ts';
import { DataKeys } from './data-keys.ts';
import { fileKeyEncryption } from './file-key-encryption.ts';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';
import { rewrapDataKeys } from './rewrap.ts';

const [former, next] = [1, 2].map((key) => fileKeyEncryption(Buffer.alloc(32, key))) as [KeyEncryption, KeyEncryption];

/** An installation that was set up under the former key encryption. */
async function setUp() {
  const store = new TestDataKeyStore();
  await new DataKeys(store, [former]).current('installation');
  return store;
}

/** Why nothing could be done. */
async function causeOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnavailable);
  return (error as StoreUnavailable).cause;
}

test('what is made before all is wrapped anew, those can open too that have not heard of another key encryption', async () => {
  const store = await setUp();
  const [told, untold] = [new DataKeys(store, [next, former]), new DataKeys(store, [former])];
  const made = await told.current('consent');
  expect((await untold.find(made.id))?.bytes).toEqual(made.bytes);
  await rewrapDataKeys(store, [former], next, () => {});
  expect((await told.current('signing')).id).toBe((await new DataKeys(store, [next]).current('signing')).id);
});

test('a data key of a key encryption that is not given is told with both their ids', async () => {
  const cause = await causeOf(new DataKeys(await setUp(), [next]).installation());
  expect(cause).toBeInstanceOf(KeyEncryptionFailed);
  for (const { id } of [former, next]) expect(String(cause)).toContain(id);
});

test('a key encryption that is away makes nothing and opens nothing new; what was opened stays', async () => {
  const failed = new KeyEncryptionFailed('away');
  const away = async () => {
    throw failed;
  };
  const sometimes: { -readonly [Name in keyof KeyEncryption]: KeyEncryption[Name] } = { ...former };
  const store = await setUp();
  const dataKeys = new DataKeys(store, [sometimes]);
  const opened = await dataKeys.current('consent');
  Object.assign(sometimes, { wrap: away, unwrap: away });
  expect((await dataKeys.find(opened.id))?.bytes).toEqual(opened.bytes);
  expect(await causeOf(dataKeys.current('signing'))).toBe(failed);
  expect(await causeOf(new DataKeys(store, [sometimes]).installation())).toBe(failed);
  Object.assign(sometimes, former);
  await dataKeys.current('signing');
});
