import { expect, test } from 'vitest';
import { StoreUnavailable } from '../errors.ts';
import { record } from '../test-record.ts';
import { type Use, Uses, type UseWriter } from './uses.ts';

const token = (number: number) => record({ key: { partition: 1, key: `${number}` } });

/** Keeps what is written; not, while it is away. */
function open() {
  const store = { away: false, written: [] as Use[] };
  const writer: UseWriter = {
    async write(uses) {
      if (store.away) throw new StoreUnavailable();
      store.written.push(...uses);
    },
  };
  const uses = new Uses();
  const flushed = async () => {
    store.written = [];
    await uses.flush(writer);
    return store.written.flatMap((use) => (use.kind === 'token' ? use.key : []));
  };
  return { uses, flushed, store };
}

test('a token is noted once a period, however often it is used', async () => {
  const { uses, flushed } = open();
  for (let i = 0; i < 10; i++) uses.note(token(1), ['read']);
  expect(await flushed()).toEqual(['1']);
  uses.note(token(1), ['read']);
  expect(await flushed()).toEqual([]);
  uses.startOver();
  uses.note(token(1), ['read']);
  expect(await flushed()).toEqual([]);
  uses.startTokensOver();
  uses.note(token(1), ['read']);
  expect(await flushed()).toEqual(['1']);
});

test('between two writes no more tokens are noted than may be, and of the others the next time', async () => {
  const { uses, flushed } = open();
  const useAll = () => {
    for (let i = 0; i < 3_000; i++) uses.note(token(i), ['read']);
  };
  useAll();
  useAll();
  expect(await flushed()).toHaveLength(2_000);
  useAll();
  const rest = await flushed();
  expect(rest).toHaveLength(1_000);
  expect(rest).toContain('2999');
});

test('what could not be written is noted anew', async () => {
  const { uses, flushed, store } = open();
  uses.note(token(1), ['read']);
  store.away = true;
  await expect(flushed()).rejects.toThrow(StoreUnavailable);
  store.away = false;
  uses.note(token(1), ['read']);
  expect(await flushed()).toEqual(['1']);
  expect(store.written.map(({ kind }) => kind)).toEqual(['scope', 'token']);
});
