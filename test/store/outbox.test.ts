import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { StoreUnavailable } from '@touchstone/core';
import { openDatabase, outbox } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { atPort } from '../faults/door.ts';
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

test('of large revisions fewer are read at once, one at any rate, and in the end each of them, with its time', async () => {
  const sizes = [1, 6 * mebibyte, 3 * mebibyte, 3 * mebibyte, 1];
  for (const [i, size] of sizes.entries()) {
    await store.database.query({
      text: `insert into revision (revision, previous_hash, content, hash, recorded_at)
             values ($1::bigint, repeat('0', 64), $2, lpad($1::bigint::text, 64, '0'), to_timestamp($1::bigint))`,
      values: [i + 1, Buffer.alloc(size)],
    });
  }
  await using leader = await outbox(store.database).lead();
  const read: number[][] = [];
  for (;;) {
    const revisions = (await leader?.nextRevisions(500)) ?? [];
    const last = revisions.at(-1);
    if (!last) break;
    expect(last.recordedAt).toBe(last.revision * 1_000);
    read.push(revisions.map(({ content }) => content.length));
    await leader?.markRevisions(last.revision);
  }
  expect(read).toEqual([[1, 6 * mebibyte], [3 * mebibyte, 3 * mebibyte], [1]]);
});

test('what was published is marked forward only, where the lock of the relay is held; elsewhere nobody leads', async () => {
  const position = async ({ database } = store) =>
    (await database.query({ text: 'select revision from relay_position' }))[0]?.[0];
  const first = await outbox(store.database).lead();
  await first?.markRevisions(5);
  await first?.markRevisions(3);
  expect(await position()).toBe(5);
  await first?.[Symbol.asyncDispose]();
  // As after a failover that the connection which holds the lock has not noticed.
  await using elsewhere = await openTestDatabase();
  await using second = await outbox({ ...store.database, connect: elsewhere.database.connect }).lead();
  await second?.markRevisions(7);
  expect([await position(), await position(elsewhere)]).toEqual([5, 7]);
  expect(second?.lost.aborted).toBe(false);
  await expect(second?.nextRevisions(1)).rejects.toThrow(StoreUnavailable);
  expect(second?.lost.aborted).toBe(true);
});

test('a server that says nothing any more is given up, and so is what it is asked, and its connection', async () => {
  const { port } = new URL(store.postgres.adminUrl);
  let isSilent = false;
  const door = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    near.pipe(far);
    far.on('data', (bytes) => isSilent || near.write(bytes)).on('error', () => {});
    near.on('error', () => {}).on('close', () => far.destroy());
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  const url = atPort((door.address() as AddressInfo).port, store.postgres.adminUrl);
  const database = openDatabase({ url, applicationName: 'silent', connectionsMax: 1 });
  const leader = await outbox(database).lead();
  isSilent = true;
  const asked = performance.now();
  await expect(leader?.nextRevisions(1)).rejects.toThrow(StoreUnavailable);
  await leader?.[Symbol.asyncDispose]();
  expect(performance.now() - asked).toBeLessThan(15_000);
  expect(leader?.lost.aborted).toBe(true);
  await database[Symbol.asyncDispose]();
  door.close();
});
