import { RateExceeded } from '@touchstone/core';
import { rateLimiter } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store[Symbol.asyncDispose]());

const hour = 3_600_000;
const rate = (key: string, tokensPerMinute = 3) => ({ key, tokensPerMinute, by: 'app' });
const setMinute = (key: string, points: number, expire: number) =>
  store.database.query({ text: 'insert into rate values ($1, $2, $3)', values: [key, points, expire] });
const take = (key: string, times: number, limiter = rateLimiter(store.database)) =>
  Promise.allSettled(Array.from({ length: times }, () => limiter.take([rate(key)])));
const taken = async (key: string, times: number) =>
  (await take(key, times)).filter(({ status }) => status === 'fulfilled').length;

test.each([
  ['goes on', 'on', 30_000, 1],
  ['is over', 'over', -1, 3],
  // Else nobody would get any until that hour has come.
  ['ends when none can, for the clock was set back', 'ahead', hour, 3],
])('of a minute that %s, what was taken of it counts or does not', async (_, key, left, expected) => {
  await setMinute(key, 2, Date.now() + left);
  expect(await taken(key, 5)).toBe(expected);
});

test('who is refused is told when the minute is over', async () => {
  await setMinute('told', 3, Date.now() + 20_000);
  const [outcome] = await take('told', 1);
  const error = (outcome as PromiseRejectedResult).reason as RateExceeded;
  expect(error).toBeInstanceOf(RateExceeded);
  expect(error.retryAfter).toBeGreaterThan(15_000);
  expect(error.retryAfter).toBeLessThanOrEqual(20_000);
});

test('who may have more from now on need not wait for the minute to end', async () => {
  const limiter = rateLimiter(store.database);
  expect((await take('raised', 4, limiter)).filter(({ status }) => status === 'rejected')).toHaveLength(1);
  await limiter.take([rate('raised', 10)]);
});

test('what the rate of one refuses uses up none of another', async () => {
  await setMinute('spent', 3, Date.now() + 20_000);
  const limiter = rateLimiter(store.database);
  await expect(limiter.take([rate('kept', 1), rate('spent')])).rejects.toThrow(RateExceeded);
  await limiter.take([rate('kept', 1)]);
  await expect(limiter.take([rate('kept', 1)])).rejects.toThrow(RateExceeded);
});

test('who is refused first in a minute is told that it is news, and others are not', async () => {
  await setMinute('news', 3, Date.now() + 20_000);
  const limiter = rateLimiter(store.database);
  const outcomes = [...(await take('news', 2, limiter)), ...(await take('news', 1, limiter))];
  expect(outcomes.map((outcome) => ((outcome as PromiseRejectedResult).reason as RateExceeded).isNews)).toEqual([
    true,
    false,
    false,
  ]);
});
