import type { Head } from '@touchstone/core';
import { historyReader } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { revokeAll } from './revoke.ts';

const count = 20;
let store: TestDatabase;
const heads: Head[] = [];
beforeAll(async () => {
  store = await openTestDatabase();
  for (let i = 0; i < count; i++) heads.push((await revokeAll(store, `incident-${i}`)).head);
});
afterAll(() => store?.[Symbol.asyncDispose]());

const [known, unheardOf] = [count - 2, count + 1];

test('hashes come of those revisions that there are, with what came after the one that is known', async () => {
  const reader = historyReader(store.database);
  const { hashes, tail } = await reader.hashesOf([1, 7, unheardOf, 7], known);
  expect(hashes).toEqual(new Map([1, 7].map((revision) => [revision, heads[revision - 1]?.hash])));
  expect(tail).toEqual({ ...(await reader.readAfter(known)), now: tail.now });
  expect(tail.missed.map(({ revision }) => revision)).toEqual([count - 1, count]);
  expect((await reader.hashesOf([], known)).hashes.size).toBe(0);
});

test('a follower that started later knows revisions of before by one statement', async () => {
  const follower = await store.follow();
  using query = vi.spyOn(store.database, 'query');
  const reached = heads.map(({ revision, hash }) => follower.reaches({ revision, hashStart: hash.slice(0, 14) }));
  expect(await Promise.all(reached)).toEqual(Array(count).fill(true));
  expect(query).toHaveBeenCalledTimes(1);
  // This history may have been replaced since.
  expect(await follower.reaches({ revision: 1, hashStart: 'another' })).toBe(false);
  expect(query).toHaveBeenCalledTimes(2);
});
