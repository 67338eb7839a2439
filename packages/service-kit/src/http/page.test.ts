import { expect, test } from 'vitest';
import { paced } from './page.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Each is made, and each rest is over, once the test says so. */
function openPaced() {
  const [makings, rests] = [[] as PromiseWithResolvers<number>[], [] as PromiseWithResolvers<void>[]];
  const ask = paced(
    () => {
      const making = Promise.withResolvers<number>();
      makings.push(making);
      return making.promise;
    },
    () => {
      const rest = Promise.withResolvers<void>();
      rests.push(rest);
      return rest.promise;
    },
  );
  return { ask, makings, rests };
}

test('however many ask for it together, it is made once', async () => {
  const { ask, makings } = openPaced();
  const asked = Array.from({ length: 100 }, ask);
  await turn();
  makings[0]?.resolve(1);
  expect(new Set(await Promise.all(asked))).toEqual(new Set([1]));
  expect(makings).toHaveLength(1);
});

test('who asks while it is made, or rests, gets one that is made after that', async () => {
  const { ask, makings, rests } = openPaced();
  const first = ask();
  await turn();
  const meanwhile = ask();
  makings[0]?.resolve(1);
  expect(await first).toBe(1);
  const resting = ask();
  await turn();
  expect(makings).toHaveLength(1);
  rests[0]?.resolve();
  await turn();
  makings[1]?.resolve(2);
  expect(await Promise.all([meanwhile, resting])).toEqual([2, 2]);
  expect(makings).toHaveLength(2);
});

test('after a failure it rests too, and is made anew', async () => {
  const { ask, makings, rests } = openPaced();
  const failed = ask();
  await turn();
  makings[0]?.reject(new Error('away'));
  await expect(failed).rejects.toThrow('away');
  const next = ask();
  await turn();
  expect(makings).toHaveLength(1);
  rests[0]?.resolve();
  await turn();
  makings[1]?.resolve(2);
  expect(await next).toBe(2);
});
