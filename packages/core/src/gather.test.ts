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

test('what waits is sent before those that came back are answered', async () => {
  const seen: string[] = [];
  const ask = gather(async (numbers: readonly number[]) => {
    seen.push(`sent ${numbers}`);
    for (let i = 0; i < 3; i++) await turn();
    return [...numbers];
  }, limits);
  const first = ask(1).then(() => seen.push('answered 1'));
  await turn();
  const second = ask(2).then(() => seen.push('answered 2'));
  await Promise.all([first, second]);
  expect(seen).toEqual(['sent 1', 'sent 2', 'answered 1', 'answered 2']);
});

test('never more batches are under way than there are lanes', async () => {
  let [underWay, most] = [0, 0];
  const ask = gather(
    async (numbers: readonly number[]) => {
      most = Math.max(most, ++underWay);
      for (let i = 0; i < numbers.length; i++) await turn();
      underWay--;
      return [...numbers];
    },
    { ...limits, lanes: 2, waitingMax: 100 },
  );
  const asked: Promise<number>[] = [];
  for (let i = 0; i < 50; i++) {
    asked.push(ask(i), ask(-i));
    if (i % 3 === 0) await turn();
  }
  await Promise.all(asked);
  expect(most).toBe(2);
});

test('a request counts as much as it is large, and one that is too large for any batch goes alone', async () => {
  const sent: number[][] = [];
  const ask = gather(
    async (sizes: readonly number[]) => {
      sent.push([...sizes]);
      return [...sizes];
    },
    limits,
    { sizeOf: (size) => size },
  );
  await Promise.all([1, 2, 1, 4, 1].map((size) => ask(size)));
  expect(sent).toEqual([[1, 2], [1], [4], [1]]);
  const refused = await Promise.allSettled([ask(6), ask(4), ask(1)]);
  expect(refused.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
});

test('of each key in its turn one is sent, however much is asked for another', async () => {
  const sent: string[][] = [];
  const ask = gather(
    async (names: readonly string[]) => {
      sent.push([...names]);
      return [...names];
    },
    limits,
    { keyOf: (name) => name.charAt(0) },
  );
  const first = ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2'].map((name) => ask(name));
  await turn();
  await Promise.all([...first, ask('c1')]);
  expect(sent).toEqual([
    ['a1', 'b1', 'a2'],
    ['b2', 'a3', 'c1'],
    ['a4', 'a5'],
  ]);
});

test('where too many wait, the key gives way of which the most do: its last one is refused, and nobody else', async () => {
  const ask = gather(
    async (names: readonly string[]) => [...names],
    { ...limits, waitingMax: 4 },
    { keyOf: (name) => name.charAt(0) },
  );
  const names = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2', 'd1'];
  const outcomes = await Promise.allSettled(names.map((name) => ask(name)));
  const refused = names.filter((_, i) => outcomes[i]?.status === 'rejected');
  expect(refused).toEqual(['a2', 'a3', 'a4', 'b2']);
  expect(outcomes[1]).toMatchObject({ reason: expect.any(Overloaded) });
});

test('what gives way is told by how large it is, not by how many there are', async () => {
  const ask = gather(
    async (requests: readonly [name: string, size: number][]) => [...requests],
    { ...limits, waitingMax: 20 },
    { keyOf: ([name]) => name, sizeOf: ([, size]) => size },
  );
  const many = Array.from({ length: 6 }, () => ['many', 1] as [string, number]);
  const large: [string, number][] = [
    ['large', 7],
    ['large', 7],
  ];
  const asked = [...many, ...large, ['large', 6], ['new', 1]] as [string, number][];
  const outcomes = await Promise.allSettled(asked.map((one) => ask(one)));
  const refused = asked.filter((_, i) => outcomes[i]?.status === 'rejected');
  expect(refused).toEqual([
    ['large', 7],
    ['large', 6],
  ]);
});

test('where there can be no room nobody gives way', async () => {
  const ask = gather(
    async (requests: readonly [name: string, size: number][]) => [...requests],
    { ...limits, waitingMax: 10 },
    { keyOf: ([name]) => name, sizeOf: ([, size]) => size },
  );
  const asked: [string, number][] = [...Array.from({ length: 9 }, () => ['a', 1] as [string, number]), ['b', 6]];
  const outcomes = await Promise.allSettled(asked.map((one) => ask(one)));
  expect(outcomes.map(({ status }) => status)).toEqual([...Array(9).fill('fulfilled'), 'rejected']);
  const refused = await Promise.allSettled(
    [
      ['a', 1],
      ['b', 11],
    ].map((one) => ask(one as [string, number])),
  );
  expect(refused.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});
