import { genesis, type Mark, StoreUnavailable, type TokenRecord } from '@touchstone/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

/** More than are read at a time. */
const count = 5_000;
const markOf = (i: number): Mark => ({
  kind: 'user',
  key: `u${i}`,
  tokenClass: 'token',
  ceiling: i,
  sparedTokenId: null,
  sparedCeiling: 0,
  coversUntil: null,
});

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
  const { database, chain } = store;
  await database.query({
    text: `insert into watermark (token_class, kind, key, ceiling, spared_ceiling)
           select 'token', 'user', 'u' || i, i, 0 from generate_series(1, ${count}) i`,
  });
  const digest = chain.digestOf(
    Array.from({ length: count }, (_, i) => markOf(i + 1)),
    genesis,
  );
  const values = [digest, chain.sealHistory(genesis, digest)];
  await database.query({ text: 'update history set digest = $1, mac = $2', values });
});
afterAll(() => store?.[Symbol.asyncDispose]());

test('a follower starts from all watermarks, however many there are', async () => {
  const { watermarks } = await store.follow();
  const token = { tokenClass: 'token', tenantId: 'acme', appId: null, audience: 'orders', lineage: [] } as const;
  for (let i = 1; i <= count; i++) {
    const of = (sequence: number) => ({ ...token, userHandle: `u${i}`, sequence }) as unknown as TokenRecord;
    expect(watermarks.revokes(of(i))).toBe(true);
    expect(watermarks.revokes(of(i + 1))).toBe(false);
  }
});

test.each([1, 2_500, count])('it does not start where any one of them has been altered (%i)', async (i) => {
  const set = (ceiling: number) =>
    store.database.query({ text: 'update watermark set ceiling = $1 where key = $2', values: [ceiling, `u${i}`] });
  await set(i - 1);
  await expect(store.follow()).rejects.toThrow(StoreUnavailable);
  await set(i);
  await store.follow();
});
