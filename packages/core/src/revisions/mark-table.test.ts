import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segmentsCount } from './mark-segment.ts';
import { type KeyHash, keyHash, MarkTable } from './mark-table.ts';

/** From the one in use to the worst that there can be. */
const hashes: readonly KeyHash[] = [
  keyHash,
  () => 0,
  () => 2 ** 32 - 1,
  (key) => key.length,
  (key) => keyHash(key) & 0x3f,
  (key) => (keyHash(key) & 0x3f) << 6,
  (key) => (keyHash(key) >>> 31) * (2 ** 32 - 1),
];

/** Keys that are easily taken for each other. */
const keys = [
  '',
  '\0',
  '\0\0',
  'a',
  'a\0',
  'aa',
  'ab',
  '1'.repeat(22),
  `${'1'.repeat(21)}2`,
  `2${'1'.repeat(21)}`,
  `tok_${'0'.repeat(26)}`,
  `tok_${'0'.repeat(25)}1`,
  'ÿ',
  'Āa',
  '\u0001\u0000a\u0000',
  'ÿÿ',
  '\uffff',
  'schlüssel',
  'schlüsse1',
  '鍵'.repeat(256),
  `${'鍵'.repeat(255)}鎌`,
  'é',
  'e\u0301',
  '🔑',
  '\ud83d',
  '\udd11',
  'x'.repeat(256),
  'x'.repeat(32_767),
];

const someKey = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...keys) },
  { weight: 2, arbitrary: fc.nat(300).map((i) => String(i).padStart(22, '0')) },
  fc.string({ unit: 'binary', maxLength: 300 }),
);
const someNumber = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(2 ** 53, Number.POSITIVE_INFINITY));

type Step = (table: MarkTable, map: Map<string, readonly [ceiling: number, coversUntil: number]>) => void;
const set: fc.Arbitrary<Step> = fc.tuple(someKey, someNumber, someNumber).map(([key, ceiling, end]) => (table, map) => {
  table.set(key, ceiling, end);
  map.set(key, [ceiling, end]);
});
const setMany: fc.Arbitrary<Step> = fc.tuple(fc.nat(300), fc.nat(9)).map(([count, end]) => (table, map) => {
  for (let i = 0; i < count; i++) {
    const key = String(i).padStart(22, '0');
    table.set(key, i, end);
    map.set(key, [i, end]);
  }
});
const forget: fc.Arbitrary<Step> = fc.nat(10).map((before) => (table, map) => {
  for (let i = 0; i < segmentsCount; i++) table.forget(before);
  for (const [key, [, end]] of map) if (end < before) map.delete(key);
});

test('a table holds what a Map does, whatever the keys and however their hashes meet', () => {
  const steps = fc.array(fc.oneof({ weight: 20, arbitrary: set }, setMany, forget), { maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(...hashes), steps, fc.array(someKey), (hash, run, others) => {
      const table = new MarkTable(hash);
      const map = new Map<string, readonly [number, number]>();
      for (const step of run) {
        step(table, map);
        expect(table.size).toBe(map.size);
      }
      for (const key of [...map.keys(), ...keys, ...others]) {
        const [ceiling, end] = map.get(key) ?? [];
        expect(table.ceilingOf(key)).toBe(ceiling);
        expect(table.covers(key, 5)).toBe(ceiling !== undefined && ceiling >= 5);
        expect(table.coversUntilOf(key)).toBe(end);
      }
    }),
    { numRuns: 500 },
  );
});

test('what has not ended is there whichever part has been looked at, and what has ended does not come back', () => {
  const table = new MarkTable();
  for (let i = 0; i < 20_000; i++) table.set(`k${i}`, i, i % 2);
  for (let looked = 0; looked < segmentsCount; looked++) {
    const size = table.size;
    table.forget(1);
    // A small part of all with each call.
    expect(size - table.size).toBeLessThan(60);
  }
  for (let i = 0; i < 20_000; i++) expect(table.ceilingOf(`k${i}`)).toBe(i % 2 === 1 ? i : undefined);
});

test('a key that is longer than any is refused, not cut off', () => {
  expect(() => new MarkTable().set('x'.repeat(32_768), 1, 1)).toThrow(RangeError);
});

test('keys that count up, and those that differ anywhere in a long text, are spread evenly', () => {
  const long = (i: number) =>
    `${'x'.repeat(i % 200)}${String.fromCharCode(97 + (i % 26))}${i}${'y'.repeat(200 - (i % 200))}`;
  for (const keyOf of [String, (i: number) => String(i).padStart(22, '0'), (i: number) => `a${i}:handle`, long]) {
    const counts = new Array<number>(segmentsCount).fill(0);
    for (let i = 0; i < 100 * segmentsCount; i++) {
      const segment = keyHash(keyOf(i)) >>> 22;
      counts[segment] = (counts[segment] as number) + 1;
    }
    // A hundred each, as by chance: seven times the standard deviation is never met.
    expect(Math.max(...counts)).toBeLessThan(170);
    expect(Math.min(...counts)).toBeGreaterThan(30);
  }
});
