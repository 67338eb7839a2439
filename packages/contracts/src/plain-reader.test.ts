import { expect, test } from 'vitest';
import { type PlainReader, readPlain } from './plain-reader.ts';

const bytes = (...parts: (number | string)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
const double = (value: number): string => {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleLE(value);
  return buffer.toString('latin1');
};

const text = (from: PlainReader) => from.text(5);
const number = (from: PlainReader) => from.number();
const inner = (from: PlainReader) => from.message(text);

test.each<[string, (from: PlainReader) => unknown, Uint8Array, unknown]>([
  ['a text', text, bytes(3, 'a~ '), 'a~ '],
  ['an empty text', text, bytes(0), null],
  ['a text that is too long', text, bytes(6, 'abcdef'), null],
  ['a text that is cut short', text, bytes(3, 'ab'), null],
  ['a control character', text, bytes(1, 0x1f), null],
  ['a delete', text, bytes(1, 0x7f), null],
  ['a character of two bytes', text, bytes(2, 'ä'), null],
  ['a number', number, bytes(0x96, 1), 150],
  ['the largest number', number, bytes(0xff, 0xff, 0xff, 0xff, 7), 2 ** 31 - 1],
  ['a number above it', number, bytes(0x80, 0x80, 0x80, 0x80, 8), null],
  ['a number of six bytes', number, bytes(0x80, 0x80, 0x80, 0x80, 0x80, 1), null],
  ['a number that is cut short', number, bytes(0x80), null],
  ['true', (from) => from.bool(), bytes(1), true],
  ['more than true', (from) => from.bool(), bytes(2), null],
  ['a double', (from) => from.double(), Buffer.from(double(1.5), 'latin1'), 1.5],
  ['infinity', (from) => from.double(), Buffer.from(double(Number.POSITIVE_INFINITY), 'latin1'), null],
  ['a double that is cut short', (from) => from.double(), bytes(0, 0), null],
  ['a message', inner, bytes(2, 1, 'a'), 'a'],
  ['a message of which something is left', inner, bytes(3, 1, 'ab'), null],
  ['a message that is cut short', inner, bytes(3, 1, 'a'), null],
  ['a text that goes on behind its message', inner, bytes(2, 2, 'ab'), null],
])('%s', (_, read, from, expected) => {
  expect(readPlain(read)(from)).toBe(expected);
});

test('nothing is taken for a field once something was not plain', () => {
  const tags: number[] = [];
  const read = (from: PlainReader) => {
    tags.push(from.tag());
    from.require(false);
    tags.push(from.tag());
  };
  expect(readPlain(read)(bytes(8, 16))).toBeNull();
  expect(tags).toEqual([8, -1]);
});
