import { describe, expect, test } from 'vitest';
import {
  type Answered,
  type Event,
  type Freshness,
  fenceMilliseconds,
  type Issued,
  type Level,
  type Restored,
  type Revoked,
  type Target,
} from './history.ts';
import { judge } from './judge.ts';

const issued = (start: number, end: number, over: Partial<Issued> = {}): Issued => ({
  type: 'issued',
  start,
  end,
  tokenId: 'k1',
  tenantId: 't1',
  appId: 'a1',
  userId: 'u1',
  ...over,
});
const revoked = (
  start: number,
  end: number,
  level: Level,
  over: Partial<Target> = {},
  revision: number | null = 1,
): Revoked => ({
  type: 'revoked',
  start,
  end,
  revision,
  target: { level, tokenId: 'k1', tenantId: 't1', appId: 'a1', userId: 'u1', ...over },
});
const full: Freshness = { mode: 'full' };
const answered = (start: number, end: number, active: boolean, freshness: Freshness = full): Answered => ({
  type: 'answered',
  start,
  end,
  tokenId: 'k1',
  validator: 'v1',
  freshness,
  active,
});
const bounded: Freshness = { mode: 'bounded', milliseconds: 10 };
const promises = (...events: Event[]) => judge(events).map(({ promise }) => promise);

describe.each<Level>(['token', 'user', 'app_user', 'app', 'tenant', 'all', 'disabled_app'])('%s', (level) => {
  test('active while it is revoked, refused while it is revoked: either may be', () => {
    expect(promises(issued(0, 1), revoked(2, 9, level), answered(3, 8, true))).toEqual([]);
    expect(promises(issued(0, 1), revoked(2, 9, level), answered(3, 8, false))).toEqual([]);
  });

  test('active after the revocation returned', () => {
    expect(promises(issued(0, 1), revoked(2, 3, level), answered(4, 5, true))).toEqual([
      'active, full, after its revocation returned',
    ]);
  });

  test('active after a refusal', () => {
    const first = answered(3, 4, false);
    expect(promises(issued(0, 1), revoked(2, 9, level), first, answered(5, 6, true))).toEqual([
      'active after it was refused',
    ]);
    expect(promises(issued(0, 1), revoked(2, 9, level), first, answered(3, 6, true))).toEqual([]);
  });

  test('a revocation that failed may have happened, at any time', () => {
    const failed = revoked(2, 3, level, {}, null);
    expect(promises(issued(0, 1), failed, answered(4, 5, true))).toEqual([]);
    expect(promises(issued(0, 1), failed, answered(4, 5, true), answered(6, 7, false))).toEqual([]);
    expect(promises(issued(0, 1), failed, answered(6, 7, false), answered(8, 9, true))).toHaveLength(1);
  });

  test('the answer that may be stale has to know what returned longer ago than that, and no more', () => {
    expect(promises(issued(0, 1), revoked(2, 3, level), answered(13, 20, true, bounded))).toEqual([]);
    expect(promises(issued(0, 1), revoked(2, 3, level), answered(13.1, 20, true, bounded))).toHaveLength(1);
  });

  test('the answer that is at least at a revision has to know what is in it', () => {
    const at = (revision: number) => answered(2.5, 2.6, true, { mode: 'revision', revision });
    expect(promises(issued(0, 1), revoked(2, 3, level, {}, 7), at(6))).toEqual([]);
    expect(promises(issued(0, 1), revoked(2, 3, level, {}, 7), at(7))).toHaveLength(1);
  });
});

test('of others it says nothing', () => {
  const others: Revoked[] = [
    revoked(2, 3, 'token', { tokenId: 'k2' }),
    revoked(2, 3, 'user', { tenantId: 't2' }),
    revoked(2, 3, 'user', { userId: 'u2' }),
    revoked(2, 3, 'app_user', { appId: 'a2' }),
    revoked(2, 3, 'app', { appId: 'a2' }),
    revoked(2, 3, 'tenant', { tenantId: 't2' }),
  ];
  expect(promises(issued(0, 1), ...others, answered(4, 5, true))).toEqual([]);
  expect(promises(issued(0, 1), ...others, answered(4, 5, false))).toEqual(['refused though nothing revokes it']);
});

test('a token that was asked for after a revocation returned is not touched by it, unless its target is dead for good', () => {
  const late = issued(4, 5);
  expect(promises(revoked(2, 3, 'user'), late, answered(6, 7, true))).toEqual([]);
  expect(promises(revoked(2, 3, 'user'), late, answered(6, 7, false))).toEqual([
    'refused by a revocation from before it was asked for',
  ]);
  expect(promises(revoked(2, 3, 'disabled_app'), late, answered(6, 7, false))).toEqual([]);
  expect(promises(revoked(2, 3, 'disabled_app'), late, answered(6, 7, true))).toHaveLength(1);
});

test('one that is issued meanwhile is decided once and for all, either way', () => {
  const meanwhile = issued(2, 5);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, true))).toEqual([]);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, false))).toEqual([]);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, false), answered(8, 9, true))).toHaveLength(1);
});

test('what shows a violation is the token, the revocation and the answer, in their order', () => {
  const token = issued(0, 1);
  const cut = revoked(2, 3, 'app');
  const wrong = answered(4, 5, true);
  expect(judge([wrong, revoked(6, 7, 'all'), answered(1, 2, true), cut, token])[0]?.history).toEqual([
    token,
    cut,
    wrong,
  ]);
});

describe('a database that was backed up from 10 to 12 and put back from 20 to 22', () => {
  const restored: Restored = { backup: { start: 10, end: 12 }, putBack: { start: 20, end: 22 } };
  const afterwards = (...events: Event[]) => judge(events, [restored]).map(({ promise }) => promise);
  const [kept, lost, unknown] = [issued(0, 1), issued(13, 14), issued(9, 13)];

  test('keeps the tokens from before, and what was revoked by then', () => {
    expect(afterwards(kept, answered(23, 24, true))).toEqual([]);
    expect(afterwards(kept, answered(23, 24, false))).toEqual(['refused though nothing revokes it']);
    expect(afterwards(kept, revoked(2, 3, 'all'), answered(23, 24, false))).toEqual([]);
    expect(afterwards(kept, revoked(2, 3, 'all'), answered(23, 24, true))).toHaveLength(1);
  });

  test('loses what was issued and revoked since: until then it holds, from then on it never was', () => {
    const since = revoked(13, 14, 'all');
    expect(afterwards(kept, since, answered(15, 16, false), answered(23, 24, true))).toEqual([]);
    expect(afterwards(kept, since, answered(15, 16, true))).toHaveLength(1);
    expect(afterwards(kept, since, answered(23, 24, false))).toEqual(['refused though nothing revokes it']);
    expect(afterwards(lost, answered(15, 16, true), answered(23, 24, false))).toEqual([]);
    expect(afterwards(lost, answered(15, 16, false))).toHaveLength(1);
    expect(afterwards(lost, answered(23, 24, true))).toHaveLength(1);
  });

  test('goes on: what is issued and revoked after it holds as ever', () => {
    const token = issued(23, 24);
    expect(afterwards(token, revoked(25, 26, 'all'), answered(27, 28, false))).toEqual([]);
    expect(afterwards(token, revoked(25, 26, 'all'), answered(27, 28, true))).toHaveLength(1);
    expect(afterwards(token, answered(27, 28, false))).toHaveLength(1);
    expect(afterwards(kept, revoked(25, 26, 'all'), answered(27, 28, true))).toHaveLength(1);
  });

  test('may have kept or lost what was under way, and answers that were under way tell nothing', () => {
    for (const end of [11, 15, 21, 23]) {
      for (const active of [true, false]) {
        expect(afterwards(unknown, answered(23, 24, active))).toEqual([]);
        expect(afterwards(kept, revoked(9, end, 'all'), answered(24, 25, active))).toEqual([]);
        expect(afterwards(kept, revoked(2, 3, 'all'), answered(19, 21, active))).toEqual([]);
      }
    }
  });

  test('may be answered of as it was before, for as long as an answer may be old', () => {
    const at: Freshness = { mode: 'revision', revision: 1 };
    for (const [freshness, old] of [
      [bounded, 10],
      [at, fenceMilliseconds],
    ] as const) {
      expect(afterwards(kept, answered(22 + old, 23 + old, false, freshness))).toEqual([]);
      expect(afterwards(kept, answered(22.1 + old, 23 + old, false, freshness))).toHaveLength(1);
      expect(afterwards(lost, answered(22 + old, 23 + old, true, freshness))).toEqual([]);
      expect(afterwards(lost, answered(22.1 + old, 23 + old, true, freshness))).toHaveLength(1);
    }
  });

  test('and once more, as it was in between', () => {
    const again: Restored = { backup: { start: 30, end: 32 }, putBack: { start: 40, end: 42 } };
    const twice = (...events: Event[]) => judge(events, [restored, again]).map(({ promise }) => promise);
    const between = issued(25, 26);
    expect(twice(kept, answered(43, 44, true))).toEqual([]);
    expect(twice(between, answered(43, 44, true))).toEqual([]);
    expect(twice(between, answered(43, 44, false))).toHaveLength(1);
    expect(twice(lost, answered(43, 44, true))).toHaveLength(1);
    expect(twice(kept, revoked(33, 34, 'all'), answered(43, 44, false))).toHaveLength(1);
    expect(twice(kept, revoked(27, 28, 'all'), answered(43, 44, true))).toHaveLength(1);
  });
});
