import { expect, test } from 'vitest';
import { InvalidField } from '../errors.ts';
import type { Claims } from '../tokens/token-method.ts';
import { checkClaims } from './claims.ts';

const inLists = (levels: number): Claims => ({ name: JSON.parse('['.repeat(levels - 1) + ']'.repeat(levels - 1)) });
const inObjects = (levels: number): Claims => JSON.parse('{"name":'.repeat(levels) + 1 + '}'.repeat(levels));

test.each([
  ['lists', inLists],
  ['objects', inObjects],
])('claims are nested 32 deep at most: %s', (_, claims) => {
  expect(() => checkClaims(claims(32))).not.toThrow();
  for (const levels of [33, 1_000]) {
    expect(() => checkClaims(claims(levels))).toThrow(
      new InvalidField('claims', 'must not be nested more than 32 deep'),
    );
  }
});
