import { upkeep, useReader, useWriter } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store?.[Symbol.asyncDispose]());

const day = 86_400_000;
const keyOf = (number: number) => number.toString(16).padStart(32, '0');
const write = (expiresAt: number, ...numbers: readonly number[]) =>
  useWriter(store.database).write(numbers.map((number) => ({ kind: 'token', key: keyOf(number), expiresAt })));
const usedAt = (number: number) => useReader(store.database).tokenUsed(keyOf(number));
const run = (text: string) => store.database.query({ text });

test('that a token was used is written again once some minutes have passed, and not before', async () => {
  expect(await usedAt(1)).toBeNull();
  await write(Date.now() + day, 1, 2);
  expect(Math.abs(((await usedAt(1)) as number) - Date.now())).toBeLessThan(60_000);
  await run(`update token_use set last_used_at = last_used_at - interval '4 minutes'`);
  const before = await usedAt(1);
  await write(Date.now() + day, 1);
  expect(await usedAt(1)).toBe(before);
  await run(`update token_use set last_used_at = last_used_at - interval '4 minutes'`);
  await write(Date.now() + day, 1);
  expect(await usedAt(1)).toBeGreaterThan(before as number);
  expect(await usedAt(2)).toBeLessThan(before as number);
});

test('it goes two days after the token has expired, and not before', async () => {
  await write(Date.now() - 2 * day - 60_000, 3);
  await write(Date.now() - 2 * day + 60_000, 4);
  await upkeep(store.database);
  expect([await usedAt(3), await usedAt(4)]).toEqual([null, expect.any(Number)]);
});
