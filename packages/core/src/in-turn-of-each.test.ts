import { expect, test } from 'vitest';
import { Cancelled, Overloaded } from './errors.ts';
import { inTurnOfEach } from './in-turn-of-each.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Carries out what is named by its key and a digit, and notes in which order. */
function openTurns(waitingMax = 100) {
  const carriedOut: string[] = [];
  let [underWay, most] = [0, 0];
  const ask = inTurnOfEach(
    (name: string) => name.charAt(0),
    async (name) => {
      carriedOut.push(name);
      most = Math.max(most, ++underWay);
      await turn();
      underWay--;
      if (name.endsWith('0')) throw new Error(name);
      return `${name} done`;
    },
    waitingMax,
  );
  return { ask, carriedOut, most: () => most };
}

test('those of a key are carried out in the order in which they came, one at a time, each answered by its own result', async () => {
  const { ask, carriedOut, most } = openTurns();
  const names = ['a1', 'a2', 'a3', 'a4', 'a5'];
  expect(await Promise.all(names.map((name) => ask(name)))).toEqual(names.map((name) => `${name} done`));
  expect([carriedOut, most()]).toEqual([names, 1]);
});

test('each key has its turn, however much is asked for another', async () => {
  const { ask, carriedOut } = openTurns();
  const first = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'].map((name) => ask(name));
  await turn();
  await Promise.all([...first, ask('d1')]);
  expect(carriedOut).toEqual(['a1', 'b1', 'c1', 'a2', 'd1', 'b2', 'a3', 'a4']);
});

test('what fails fails alone', async () => {
  const { ask } = openTurns();
  const outcomes = await Promise.allSettled(['a1', 'a0', 'a2', 'b1'].map((name) => ask(name)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({ reason: new Error('a0') });
});

test("a request whose caller has gone is not carried out, and takes nobody's turn", async () => {
  const { ask, carriedOut } = openTurns();
  const gone = new AbortController();
  const outcomes = Promise.allSettled([
    ask('a1'),
    ask('b1', gone.signal),
    ask('b2'),
    ask('c1', gone.signal),
    ask('a2'),
  ]);
  await turn();
  gone.abort();
  expect((await outcomes).map((one) => (one.status === 'rejected' ? one.reason : one.value))).toEqual([
    'a1 done',
    expect.any(Cancelled),
    'b2 done',
    expect.any(Cancelled),
    'a2 done',
  ]);
  expect(carriedOut).toEqual(['a1', 'b2', 'a2']);
});

test('beyond the most that may wait a request is refused, and later ones are taken', async () => {
  const { ask } = openTurns(3);
  const outcomes = await Promise.allSettled(['a1', 'a2', 'a3', 'a4'].map((name) => ask(name)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  expect(outcomes[3]).toMatchObject({ reason: expect.any(Overloaded) });
  expect(await ask('a5')).toBe('a5 done');
});

test('where too many wait, who asks for much is refused, and nobody else', async () => {
  const { ask, carriedOut } = openTurns(4);
  const names = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2', 'd1'];
  const outcomes = await Promise.allSettled(names.map((name) => ask(name)));
  const refused = names.filter((_, i) => outcomes[i]?.status === 'rejected');
  expect(refused).toEqual(['a2', 'a3', 'a4', 'b2']);
  expect(carriedOut).toEqual(['a1', 'b1', 'c1', 'd1']);
});
