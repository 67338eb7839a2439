import { expect, test } from 'vitest';
import { tooSeldom } from './enough.ts';
import { levels } from './history.ts';

const each = (count: number) => Object.fromEntries(levels.map((level) => [`revoked ${level}`, count]));

test('a run of an hour is to have revoked ten thousand times at every level', () => {
  expect(tooSeldom(60, each(10_000))).toEqual([]);
  expect(tooSeldom(60, { ...each(10_000), 'revoked user': 9_999 })).toEqual([['user', 9_999]]);
  expect(tooSeldom(72, {})).toEqual(levels.map((level) => [level, 0]));
});

test('a shorter one need not', () => {
  expect(tooSeldom(59, {})).toEqual([]);
});
