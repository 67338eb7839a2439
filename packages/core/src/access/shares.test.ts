import { expect, test } from 'vitest';
import type { Principal } from './act.ts';
import { Shares } from './shares.ts';

const principal = (over: Partial<Principal> = {}): Principal => ({
  kind: 'operator',
  name: 'ops',
  tenantIds: ['t1', 't2'],
  ...over,
});

test('one principal has no more than the most, whichever object tells of it; what is given back can be taken', () => {
  const shares = new Shares(2);
  expect([shares.take(principal()), shares.take(principal({ tenantIds: ['t2', 't1'] }))]).toEqual([true, true]);
  expect(shares.take(principal())).toBe(false);
  shares.giveBack(principal());
  expect([shares.take(principal()), shares.take(principal())]).toEqual([true, false]);
});

test.each<[string, Partial<Principal>]>([
  ['kind', { kind: 'identity_service' }],
  ['name', { name: 'other' }],
  ['tenants', { tenantIds: ['t1'] }],
])('a principal of another %s has what it has by itself', (_, over) => {
  const shares = new Shares(1);
  expect([shares.take(principal()), shares.take(principal(over))]).toEqual([true, true]);
  expect(shares.take(principal(over))).toBe(false);
});

test('who has nothing yet may take any amount, and who has anything no more than is left', () => {
  const shares = new Shares(10);
  expect([shares.take(principal(), 11), shares.take(principal(), 1)]).toEqual([true, false]);
  shares.giveBack(principal(), 11);
  expect([shares.take(principal(), 4), shares.take(principal(), 7), shares.take(principal(), 6)]).toEqual([
    true,
    false,
    true,
  ]);
});

test('what is taken bit by bit for one and the same may be any amount, where there is nothing else', () => {
  const shares = new Shares(10);
  expect([shares.take(principal(), 4), shares.take(principal(), 7, 4)]).toEqual([true, true]);
  expect([shares.take(principal(), 1), shares.take(principal(), 1, 4)]).toEqual([false, false]);
});

test('of who has given back everything nothing is kept', () => {
  const shares = new Shares(10);
  for (let i = 0; i < 3; i++) shares.take(principal({ name: `ops-${i % 2}` }), 2);
  shares.giveBack(principal({ name: 'ops-1' }), 2);
  shares.giveBack(principal({ name: 'ops-0' }), 2);
  expect(shares.size).toBe(1);
  shares.giveBack(principal({ name: 'ops-0' }), 2);
  expect(shares.size).toBe(0);
});
