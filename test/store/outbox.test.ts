import { StoreUnavailable } from '@touchstone/core';
import { outbox } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store[Symbol.asyncDispose]());

const mebibyte = 1_048_576;

test('of large events fewer are read at once, one at any rate, and in the end each of them', async () => {
  const sizes = [1, 1, 6 * mebibyte, 2 * mebibyte, 2 * mebibyte, 2 * mebibyte, 1];
  for (const [i, size] of sizes.entries()) {
    await store.database.query({
      text: `insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
             values (gen_random_uuid(), null, $1, now(), 'test', $2)`,
      values: [Buffer.alloc(size), i + 1],
    });
  }
  await using leader = await outbox(store.database).lead();
  const read: number[][] = [];
  for (;;) {
    const records = (await leader?.nextAuditRecords(500)) ?? [];
    if (records.length === 0) break;
    read.push(records.map(({ payload }) => payload.length));
    await leader?.markAuditRecords();
  }
  expect(read).toEqual([
    [1, 1, 6 * mebibyte],
    [2 * mebibyte, 2 * mebibyte],
    [2 * mebibyte, 1],
  ]);
});

test('what was published is marked forward only, and only where the lock of the relay is held', async () => {
  const position = async () => (await store.database.query({ text: 'select revision from relay_position' }))[0]?.[0];
  const first = await outbox(store.database).lead();
  await first?.markRevisions(5);
  await first?.markRevisions(3);
  expect(await position()).toBe(5);
  await first?.[Symbol.asyncDispose]();
  // As after a failover that the connection which holds the lock has not noticed.
  await using elsewhere = await openTestDatabase();
  await using second = await outbox({ ...store.database, connect: elsewhere.database.connect }).lead();
  await expect(second?.markRevisions(7)).rejects.toThrow(StoreUnavailable);
  expect([await position(), second?.lost.aborted]).toEqual([5, true]);
});
