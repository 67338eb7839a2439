import type { Head } from '@touchstone/core';
import { census, censusReader } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { revokeAll } from './revoke.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store[Symbol.asyncDispose]());

const replica = { instanceId: 'one', service: 'validator', address: '', build: '' };

/** What the census says that the replica has applied, once it has said this. */
async function appliedAfter(applied: Head): Promise<number | undefined> {
  await census(store.database, replica, 5_000).beat(applied);
  const { validators } = await censusReader(store.database).progressOf(applied);
  return validators[0]?.appliedRevision;
}

test('what a replica has applied counts where it is of this history', async () => {
  const { head } = await revokeAll(store, 'one');
  expect(await appliedAfter(head)).toBe(head.revision);
  // It has not heard yet that the database was put back: revisions with these numbers are still to come.
  expect(await appliedAfter({ ...head, hash: 'of another history' })).toBe(0);
  expect(await appliedAfter({ revision: head.revision + 100, hash: head.hash })).toBe(0);
  expect(await appliedAfter(head)).toBe(head.revision);
});
