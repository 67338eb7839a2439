import { expect, test } from 'vitest';
import { Position } from './position.ts';

const nothing = { messages: [], end: null };
const message = (offset: bigint) => ({ offset, value: null });

test('a batch may begin before what is asked for: what comes before is left out', () => {
  const position = new Position(3n, 5n);
  const messages = [message(2n), message(3n), message(4n)];
  expect(position.advance({ messages, end: 5n, highWatermark: 5n })).toEqual([message(3n), message(4n)]);
  expect(position.next).toBe(5n);
});

test('where there is nothing more it waits at the end', () => {
  const position = new Position(5n, 5n);
  expect(position.advance({ ...nothing, highWatermark: 5n })).toEqual([]);
  expect(position.advance({ ...nothing, highWatermark: null })).toEqual([]);
  expect(position.next).toBe(5n);
});

test('what there is and can not be read is not asked for again and again', () => {
  expect(() => new Position(3n, 5n).advance({ ...nothing, highWatermark: 5n })).toThrow('nothing can be read at 3');
});

test('what was there and is no more is not waited for', () => {
  expect(() => new Position(0n, 5n).advance({ ...nothing, highWatermark: 0n })).toThrow(
    'it ends at 0, and had ended at 5',
  );
});
