import { expect, test } from 'vitest';
import { hasReadTooFew, tooSeldom } from './enough.ts';
import { levels } from './history.ts';

const ways = ['full', 'bounded', 'revision'].flatMap((mode) => [`${mode} active`, `${mode} refused`]);
const expected = [...levels.map((level) => `revoked ${level}`), ...ways.map((way) => `answered ${way}`)];
const each = (count: number) => Object.fromEntries(expected.map((what) => [what, count]));
const wanted = ['a flood', 'a fire'];
const faults = { 'a flood': 1, 'a fire': 2 };

test('a run of an hour is to have revoked ten thousand times at every level, been answered as often each way, and met every fault', () => {
  expect(tooSeldom(60, { counts: each(10_000), faults }, wanted)).toEqual([]);
  expect(tooSeldom(60, { counts: { ...each(10_000), 'revoked user': 9_999 }, faults }, wanted)).toEqual([
    ['revoked user', 9_999],
  ]);
  expect(tooSeldom(60, { counts: each(10_000), faults: { 'a flood': 1 } }, wanted)).toEqual([['a fire', 0]]);
  expect(tooSeldom(72, { counts: {}, faults }, wanted)).toEqual(expected.map((what) => [what, 0]));
});

test('a shorter one need not', () => {
  expect(tooSeldom(59, { counts: {}, faults: {} }, wanted)).toEqual([]);
});

test('of all but some of the tokens the record is to have been read', () => {
  const counts = {
    'issued signed': 60,
    'issued split': 40,
    'issued under 1 ancestors': 50,
    'issued refresh_token': 900,
  };
  expect(hasReadTooFew({ counts })).toBe(false);
  expect(hasReadTooFew({ counts: { ...counts, 'issued, and the record not read': 5 } })).toBe(false);
  expect(hasReadTooFew({ counts: { ...counts, 'issued, and the record not read': 6 } })).toBe(true);
});
