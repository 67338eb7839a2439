import { expect, test } from 'vitest';
import { drawRandom } from './random.ts';

test('no bytes come twice, however many are drawn at a time', () => {
  const drawn = Array.from({ length: 3_000 }, (_, i) => drawRandom(16 + (i % 40)));
  expect(drawn.map(({ length }) => length)).toEqual(drawn.map((_, i) => 16 + (i % 40)));
  expect(new Set(drawn.map((bytes) => bytes.toString('hex', 0, 16))).size).toBe(drawn.length);
});

test('what has been drawn stays as it is', () => {
  const first = drawRandom(32);
  const before = Buffer.from(first);
  for (let i = 0; i < 300; i++) drawRandom(32);
  expect(first).toEqual(before);
});
