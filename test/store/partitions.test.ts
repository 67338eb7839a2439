import { upkeep } from '@touchstone/store-postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store[Symbol.asyncDispose]());

const today = () => Math.floor(Date.now() / 86_400_000);
const exists = async (name: string) =>
  (await store.database.query({ text: `select to_regclass('touchstone.' || $1) is not null`, values: [name] }))[0]?.[0];

test('while a reader holds the table for long, partitions are made and others validate and write; it is dropped afterwards', async () => {
  const spent = today() - 10;
  await store.database.query({ text: 'select attach_token_partition($1)', values: [spent] });
  const ahead = today() + 90;
  await store.database.query({ text: `drop table token_${ahead}` });

  const reader = new pg.Client({ connectionString: store.postgres.adminUrl });
  await reader.connect();
  await reader.query('begin; select count(*) from touchstone.token');

  const upkeeping = upkeep(store.database);
  let slowest = 0;
  let reads = 0;
  let over = false;
  void upkeeping.finally(() => {
    over = true;
  });
  while (!over || reads < 20) {
    const started = performance.now();
    await store.records.read([{ partition: today(), key: 'a'.repeat(32) }], 0);
    await store.tokens.draw();
    slowest = Math.max(slowest, performance.now() - started);
    reads++;
  }
  const held = await upkeeping;
  expect(held.made).toBe(1);
  expect(await exists(`token_${ahead}`)).toBe(true);
  expect(held).toMatchObject({ dropped: [], postponed: [`token_${spent}`] });
  expect(slowest).toBeLessThan(150);

  await reader.query('commit');
  await reader.end();
  expect(await upkeep(store.database)).toMatchObject({ dropped: [`token_${spent}`], postponed: [] });
  expect(await exists(`token_${spent}`)).toBe(false);
});

test('a second round finds nothing to do', async () => {
  expect(await upkeep(store.database)).toEqual({ made: 0, dropped: [], postponed: [] });
});

test('partitions of the outbox go once all that they hold has been sent, and not before', async () => {
  const block = 2_000_000;
  await store.database.query({ text: `select setval('outbox_id', ${3 * block + 5})` });
  expect((await upkeep(store.database)).dropped).toEqual([]);
  await store.database.query({ text: `update relay_position set outbox_id = ${3 * block}` });
  expect((await upkeep(store.database)).dropped).toEqual(['outbox_0', 'outbox_1']);
  expect(await exists('outbox_11')).toBe(true);
});
