import { expect, test } from 'vitest';
import { Cancelled, Overloaded } from './errors.ts';
import { gather } from './gather.ts';

const limits = { batchMax: 3, lanes: 1, waitingMax: 10 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('what waits is sent together, up to the largest batch, each answered by its own result', async () => {
  const batches: number[][] = [];
  const double = gather(async (numbers: readonly number[]) => {
    batches.push([...numbers]);
    return numbers.map((n) => (n === 4 ? new Error('four') : n * 2));
  }, limits);
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => double(n)));
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  expect(results.map((r) => (r.status === 'fulfilled' ? r.value : r.reason.message))).toEqual([2, 4, 6, 'four', 10]);
});

test('a request never joins a batch that has been sent', async () => {
  const sent: number[][] = [];
  const release: (() => void)[] = [];
  const ask = gather(async (numbers: readonly number[]) => {
    sent.push([...numbers]);
    await new Promise<void>((resolve) => release.push(resolve));
    return [...numbers];
  }, limits);
  const first = ask(1);
  await turn();
  const second = ask(2);
  await turn();
  expect(sent).toEqual([[1]]);
  release[0]?.();
  await first;
  await turn();
  expect(sent).toEqual([[1], [2]]);
  release[1]?.();
  expect(await second).toBe(2);
});

test('a request whose caller has gone is not sent', async () => {
  const sent: number[] = [];
  const ask = gather(async (numbers: readonly number[]) => {
    sent.push(...numbers);
    return [...numbers];
  }, limits);
  const gone = new AbortController();
  const first = ask(1, gone.signal);
  const second = ask(2);
  gone.abort();
  await expect(first).rejects.toThrow(Cancelled);
  expect(await second).toBe(2);
  expect(sent).toEqual([2]);
});

test('when sending fails all of the batch fail, and the next batch is sent', async () => {
  let fail = true;
  const ask = gather(async (numbers: readonly number[]) => {
    if (fail) throw new Error('away');
    return [...numbers];
  }, limits);
  await expect(Promise.all([ask(1), ask(2)])).rejects.toThrow('away');
  fail = false;
  expect(await ask(3)).toBe(3);
});

test('beyond the most that may wait a request is refused', async () => {
  const ask = gather(async (numbers: readonly number[]) => [...numbers], limits);
  const answers = await Promise.allSettled(Array.from({ length: 11 }, (_, n) => ask(n)));
  expect(answers.filter((one) => one.status === 'fulfilled')).toHaveLength(10);
  expect(answers[10]).toMatchObject({ status: 'rejected', reason: expect.any(Overloaded) });
});
