import { describe, expect, test } from 'vitest';
import {
  type Answered,
  type Completed,
  type Event,
  type Freshness,
  fenceMilliseconds,
  type Issued,
  levels,
  type Restored,
  type Revoked,
  type Target,
} from './history.ts';
import { judge, shortestOf } from './judge.ts';
import { happened, nothingRecorded, whileUnderWay } from './recorded.ts';

const issued = (start: number, end: number, over: Partial<Issued> = {}): Issued => ({
  type: 'issued',
  start,
  end,
  tokenId: 'k1',
  tenantId: 't1',
  appId: 'a1',
  userId: 'u1',
  method: 'signed',
  parentId: null,
  audience: 'r1',
  grantedAt: 'g1',
  consentId: 'c1',
  signingKeyId: 's1',
  sequence: null,
  ...over,
});
const revoked = (
  start: number,
  end: number,
  level: Target['level'],
  over: Partial<Target> = {},
  revision: number | null = 1,
): Revoked => ({
  type: 'revoked',
  start,
  end,
  revision,
  target: {
    level,
    tokenId: 'k1',
    tenantId: 't1',
    appId: 'a1',
    userId: 'u1',
    consentId: 'c1',
    signingKeyId: 's1',
    audience: 'r1',
    grantedAt: 'g1',
    ...over,
  },
});
const full: Freshness = { mode: 'full' };
const answered = (start: number, end: number, active: boolean, freshness: Freshness = full): Answered => ({
  type: 'answered',
  start,
  end,
  tokenId: 'k1',
  by: 'v1',
  freshness,
  revision: null,
  active,
});
const bounded: Freshness = { mode: 'bounded', milliseconds: 10 };
const promises = (...events: Event[]) => judge(events).map(({ promise }) => promise);

test.each<Freshness>([
  { mode: 'revision', revision: 1 },
  { mode: 'bounded', milliseconds: 60_000 },
])('no answer is older than the fence: %o', (freshness) => {
  const at = (start: number) =>
    promises(issued(0, 1), revoked(2, 3, 'user', {}, 7), answered(start, start + 1, true, freshness));
  expect(at(3 + fenceMilliseconds)).toEqual([]);
  expect(at(4 + fenceMilliseconds)).toEqual([`active, ${freshness.mode}, after its revocation returned`]);
});

describe.each(levels)('%s', (level) => {
  test.each([full, bounded, { mode: 'revision', revision: 1 } as const])(
    'active by a revision that holds the revocation is wrong, however old the answer may be: %o',
    (freshness) => {
      const at = (revision: number) => ({ ...answered(2.1, 2.9, true, freshness), revision });
      const found = (revision: number) => promises(issued(0, 1), revoked(2, 3, level, {}, 7), at(revision));
      expect(found(6)).toEqual([]);
      expect(found(7)).toEqual(['active, and knows of its revocation']);
    },
  );

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
    const failed = revoked(2, Infinity, level, {}, null);
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
    revoked(2, 3, 'disabled_server', { audience: 'r2' }),
    revoked(2, 3, 'consent', { consentId: 'c2' }),
    revoked(2, 3, 'signing_key', { signingKeyId: 's2' }),
    revoked(2, 3, 'family', { tokenId: 'k2' }),
  ];
  expect(promises(issued(0, 1), ...others, answered(4, 5, true))).toEqual([]);
  expect(promises(issued(0, 1), ...others, answered(4, 5, false))).toEqual(['refused though nothing revokes it']);
});

test('a token that was asked for after a revocation returned is not touched by it', () => {
  const late = issued(4, 5);
  expect(promises(revoked(2, 3, 'user'), late, answered(6, 7, true))).toEqual([]);
  expect(promises(revoked(2, 3, 'user'), late, answered(6, 7, false))).toEqual([
    'refused by a revocation from before it was asked for',
  ]);
});

describe.each(['disabled_app', 'disabled_server', 'consent', 'signing_key'] as const)('%s', (level) => {
  const ending = revoked(2, 5, level);

  test('that has ended is one that nothing is issued under any more, whatever becomes of it', () => {
    const under = `issued under a ${level} that was dead before`;
    expect(promises(ending, issued(6, 7))).toEqual([under]);
    expect(promises(ending, issued(6, 7), answered(8, 9, false))).toEqual([under]);
    expect(promises(revoked(2, 5, level, {}, null), issued(6, 7), answered(8, 9, true))).toEqual([]);
  });

  test('that ends meanwhile: the token is refused for ever', () => {
    expect(promises(ending, issued(3, 7), answered(8, 9, false))).toEqual([]);
    expect(promises(ending, issued(3, 7), answered(8, 9, true))).toHaveLength(1);
  });

  test("that ends meanwhile, but before another's sequence was drawn, and that before the token's", () => {
    const other = { tokenId: 'k2', appId: 'a2', audience: 'r2', consentId: null, signingKeyId: null };
    const token = issued(3, 9, { sequence: 8 });
    expect(judge([ending, token, issued(6, 7, { ...other, sequence: 7 })])).toHaveLength(1);
    expect(judge([ending, token, issued(6, 7, { ...other, sequence: 9 })])).toEqual([]);
    expect(judge([ending, token, issued(4, 7, { ...other, sequence: 7 })])).toEqual([]);
  });
});

test('tokens that no key signed, or no consent stands behind, end with none', () => {
  const bare = issued(0, 1, { consentId: null, signingKeyId: null });
  for (const level of ['consent', 'signing_key'] as const) {
    expect(promises(bare, revoked(2, 3, level), answered(4, 5, true))).toEqual([]);
    expect(promises(bare, revoked(2, 3, level), answered(4, 5, false))).toHaveLength(1);
  }
});

test('of a token whose key is not known, any of its tenant may have signed it', () => {
  const unknown = issued(0, 1, { signingKeyId: '' });
  for (const active of [true, false]) {
    expect(promises(unknown, revoked(2, 3, 'signing_key'), answered(4, 5, active))).toEqual([]);
  }
  const elsewhere = revoked(2, 3, 'signing_key', { tenantId: 't2' });
  expect(promises(unknown, elsewhere, answered(4, 5, false))).toEqual(['refused though nothing revokes it']);
});

describe('the sequence of a token that was under way while it was revoked', () => {
  const meanwhile = (sequence: number | null) => issued(1, 9, { sequence });
  const other = (start: number, end: number, sequence: number) =>
    issued(start, end, { tokenId: 'k2', consentId: null, sequence });
  const cut = revoked(4, 5, 'user');

  test('is not higher than that of one that was asked for later', () => {
    const order = 'its sequence is higher than that of one that was asked for later';
    expect(promises(meanwhile(2), other(9.1, 10, 1))).toEqual([order]);
    expect(promises(meanwhile(2), other(8.9, 10, 1))).toEqual([]);
    expect(promises(meanwhile(2), other(9.1, 10, 3))).toEqual([]);
    // What it tells of the draws counts for nothing then.
    expect(promises(meanwhile(2), other(9.1, 10, 1), revoked(2, 3, 'consent'))).toEqual([order]);
  });

  test('was drawn before it, where one of a higher sequence was issued before it', () => {
    expect(promises(meanwhile(1), other(2, 3, 2), cut, answered(10, 11, true))).toEqual([
      'active, full, after its revocation returned',
    ]);
    expect(promises(meanwhile(1), other(2, 3, 2), cut, answered(10, 11, false))).toEqual([]);
    for (const sequence of [3, null]) {
      expect(promises(meanwhile(sequence), other(2, 3, 2), cut, answered(10, 11, true))).toEqual([]);
    }
  });

  test('was drawn after it, where one of a lower sequence was asked for after it', () => {
    expect(promises(meanwhile(3), other(6, 7, 2), cut, answered(10, 11, false))).toEqual([
      'refused by a revocation from before it was asked for',
    ]);
    expect(promises(meanwhile(3), other(6, 7, 2), cut, answered(10, 11, true))).toEqual([]);
    for (const sequence of [1, null]) {
      expect(promises(meanwhile(sequence), other(6, 7, 2), cut, answered(10, 11, false))).toEqual([]);
    }
  });
});

describe('a token that was derived from others', () => {
  const other = { userId: 'u2', consentId: null, signingKeyId: null };
  const root = issued(0, 1, { tokenId: 'k3', userId: 'u3', consentId: 'c3', signingKeyId: 's3', audience: 'r3' });
  const parent = issued(2, 3, { ...other, tokenId: 'k2', parentId: 'k3' });
  const child = (start: number, end: number) => issued(start, end, { ...other, parentId: 'k2' });
  const taken = (start: number, end: number, active: boolean) => ({
    ...answered(start, end, active),
    tokenId: 'k2',
    by: 'ExchangeToken',
  });
  const ofRoot = { tokenId: 'k3', userId: 'u3', consentId: 'c3', signingKeyId: 's3', audience: 'r3' };
  const missed = 'active, full, after its revocation returned';

  test.each(levels)('dies with each of them: %s', (level) => {
    const cut = revoked(6, 7, level, ofRoot);
    expect(promises(root, parent, child(4, 5), cut, answered(6.5, 8, true))).toEqual([]);
    expect(promises(root, parent, child(4, 5), cut, answered(8, 9, false))).toEqual([]);
    expect(promises(root, parent, child(4, 5), cut, answered(8, 9, true))).toEqual([missed]);
    expect(promises(root, parent, child(4, 5), cut, answered(16.9, 18, true, bounded))).toEqual([]);
    expect(promises(root, parent, child(4, 5), cut, answered(17.1, 18, true, bounded))).toHaveLength(1);
  });

  test('is shown with what it was derived from, up to what was revoked', () => {
    const wrong = answered(8, 9, true);
    for (const [tokenId, line] of [
      ['k3', [root, parent]],
      ['k2', [parent]],
      ['k1', []],
    ] as const) {
      const history = [...line, child(4, 5), revoked(6, 7, 'token', { tokenId }), wrong];
      expect(judge([root, parent, ...history])[0]?.history).toEqual(history);
    }
  });

  test.each(levels)('dies, where it is made meanwhile, by the sequence of what it was made of: %s', (level) => {
    const cut = revoked(6, 7, level, ofRoot);
    expect(promises(root, parent, taken(5, 9, true), cut, child(5, 9), answered(10, 11, false))).toEqual([]);
    expect(promises(root, parent, taken(5, 9, true), cut, child(5, 9), answered(10, 11, true))).toEqual([missed]);
  });

  test('is not made any more once one of them has been revoked', () => {
    const cut = revoked(6, 7, 'user', ofRoot);
    expect(promises(root, parent, cut, taken(8, 9, true), child(8, 9))).toEqual([missed]);
    expect(promises(root, parent, cut, taken(8, 9, false))).toEqual([]);
    expect(promises(root, parent, taken(8, 9, false))).toEqual(['refused though nothing revokes it']);
  });

  test('takes none of them with it', () => {
    const cut = revoked(6, 7, 'token', { tokenId: 'k1' });
    expect(promises(root, parent, child(4, 5), cut, taken(8, 9, true))).toEqual([]);
    expect(promises(root, parent, child(4, 5), cut, taken(8, 9, false))).toHaveLength(1);
  });

  test('is refused with them, though it was asked for later than they were revoked', () => {
    const cut = revoked(3.5, 3.6, 'user', ofRoot);
    expect(promises(root, parent, cut, child(4, 5), answered(8, 9, false))).toEqual([]);
  });

  test('is not judged where one of them is not known', () => {
    expect(promises(parent, child(4, 5), answered(8, 9, false))).toEqual([]);
  });

  test('was derived from the same where the database was put back', () => {
    const restored: Restored = { backup: { start: 10, end: 12 }, putBack: { start: 20, end: 22 }, lost: new Set() };
    const afterwards = (...events: Event[]) =>
      judge([root, parent, ...events], [restored]).map(({ promise }) => promise);
    const cut = revoked(6, 7, 'user', ofRoot);
    expect(afterwards(child(4, 5), cut, answered(23, 24, true))).toEqual([missed]);
    expect(afterwards(child(23, 24), answered(25, 26, true))).toEqual([]);
    expect(afterwards(child(23, 24), cut, answered(25, 26, true))).toEqual([missed]);
    expect(afterwards(child(23, 24), answered(25, 26, false))).toHaveLength(1);
    expect(afterwards(child(13, 14), answered(23, 24, true))).toHaveLength(1);
  });
});

describe('a grant that was taken from an app', () => {
  const ungranted = revoked(2, 5, 'grant', {}, Number.POSITIVE_INFINITY);
  const under = 'issued under a grant that was dead before';

  test('is one that nothing is issued by any more', () => {
    expect(promises(ungranted, issued(6, 7))).toEqual([under]);
    expect(promises(ungranted, issued(3, 7))).toEqual([]);
    expect(promises({ ...ungranted, revision: null }, issued(6, 7))).toEqual([]);
    for (const over of [{ grantedAt: 'g2' }, { grantedAt: null }, { appId: 'a2' }]) {
      expect(promises(ungranted, issued(6, 7, over))).toEqual([]);
    }
  });

  test('takes nothing with it that was issued by it', () => {
    expect(promises(issued(0, 1), ungranted, answered(6, 7, true))).toEqual([]);
    expect(promises(issued(0, 1), ungranted, answered(6, 7, false))).toEqual(['refused though nothing revokes it']);
  });

  test('is the app’s again where the database was put back to before', () => {
    const restored: Restored = { backup: { start: 10, end: 12 }, putBack: { start: 20, end: 22 }, lost: new Set() };
    const token = issued(23, 24);
    expect(judge([revoked(13, 14, 'grant'), token], [restored])).toEqual([]);
    expect(judge([ungranted, token], [restored])).toHaveLength(1);
  });
});

test('a refresh token is taken once', () => {
  const token = issued(0, 1, { method: 'refresh_token' });
  const [first, second] = [answered(2, 5, true), answered(3, 6, true)];
  expect(promises(token, first, { ...second, active: false }, revoked(3, 6, 'family'))).toEqual([]);
  expect(judge([token, first, second])).toEqual([
    { promise: 'a refresh token was taken twice', history: [token, first, second] },
  ]);
});

test('one that is issued meanwhile is decided once and for all, either way', () => {
  const meanwhile = issued(2, 5);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, true))).toEqual([]);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, false))).toEqual([]);
  expect(promises(revoked(3, 4, 'all'), meanwhile, answered(6, 7, false), answered(8, 9, true))).toEqual([
    'active after it was refused',
    'refused by a revocation that it had outlived',
  ]);
});

test('what it has outlived takes it no more', () => {
  const [cut, meanwhile, refused] = [revoked(3, 4, 'all', {}, 7), issued(2, 5), answered(8, 9, false)];
  const wrong = ['refused by a revocation that it had outlived'];
  expect(promises(cut, meanwhile, answered(6, 7, true), refused)).toEqual(wrong);
  expect(promises(cut, meanwhile, { ...answered(3.5, 7, true), revision: 7 }, refused)).toEqual(wrong);
  expect(promises(cut, meanwhile, answered(3.5, 7, true), refused)).toEqual([]);
  expect(promises(cut, meanwhile, { ...answered(3.5, 7, true), revision: 6 }, refused)).toEqual([]);
  expect(promises(cut, meanwhile, answered(14.1, 15, true, bounded), answered(16, 17, false))).toEqual(wrong);
  expect(promises(cut, meanwhile, answered(13.9, 15, true, bounded), answered(16, 17, false))).toEqual([]);
  expect(promises(cut, meanwhile, answered(6, 7, true), revoked(7.5, 8, 'user'), refused)).toEqual([]);
});

test('what has been refused is refused by answers that may be stale, too, once they have to know', () => {
  const history = [issued(0, 1), revoked(3, Infinity, 'all', {}, null), answered(6, 7, false)];
  expect(promises(...history, answered(17, 18, true, bounded))).toEqual([]);
  expect(promises(...history, answered(17.1, 18, true, bounded))).toEqual(['active after it was refused']);
});

describe('the revision that an answer tells', () => {
  const at = (start: number, revision: number, freshness: Freshness = full): Answered => ({
    ...answered(start, start + 1, true, freshness),
    revision,
  });
  const elsewhere = revoked(2, 3, 'user', { userId: 'u2' }, 7);
  const wrong = ['an answer that knows less than it had to'];

  test('is no lower than that of a revocation that had returned', () => {
    expect(promises(issued(0, 1), elsewhere, at(3, 6))).toEqual([]);
    expect(promises(issued(0, 1), elsewhere, at(3.1, 6))).toEqual(wrong);
    expect(promises(issued(0, 1), elsewhere, at(3.1, 7))).toEqual([]);
    expect(promises(issued(0, 1), elsewhere, at(13, 6, bounded))).toEqual([]);
    expect(promises(issued(0, 1), elsewhere, at(13.1, 6, bounded))).toEqual(wrong);
    expect(promises(issued(0, 1), { ...elsewhere, revision: Infinity }, at(3.1, 6))).toEqual([]);
    expect(promises(issued(0, 1), { ...elsewhere, revision: null }, at(3.1, 6))).toEqual([]);
  });

  test('is no lower than that of an answer before it', () => {
    expect(promises(issued(0, 1), at(2, 9, bounded), at(4, 8))).toEqual(wrong);
    expect(promises(issued(0, 1), at(2, 9, bounded), at(2.9, 8), at(5, 9))).toEqual([]);
  });

  test('is no lower than what was told to be complete before the call, however old it may be', () => {
    const complete: Completed = { type: 'completed', start: 4, end: 5, revision: 7 };
    const old: Freshness = { mode: 'bounded', milliseconds: 60_000 };
    expect(promises(issued(0, 1), elsewhere, complete, at(5, 6, old))).toEqual([]);
    expect(promises(issued(0, 1), elsewhere, complete, at(5.1, 6, old))).toEqual(wrong);
    expect(promises(issued(0, 1), elsewhere, complete, at(5.1, 7, old))).toEqual([]);
    expect(promises(issued(0, 1), elsewhere, complete, at(5.1, 6, { mode: 'revision', revision: 6 }))).toEqual(wrong);
    expect(promises(issued(0, 1), revoked(2, 3, 'all', {}, 7), complete, at(5.1, 7, old))).toEqual([
      'active, and knows of its revocation',
    ]);
  });

  test('is no lower than what was asked for', () => {
    const asked = (revision: number): Freshness => ({ mode: 'revision', revision });
    expect(promises(issued(0, 1), at(4, 8, asked(8)))).toEqual([]);
    expect(promises(issued(0, 1), at(4, 8, asked(9)))).toEqual(wrong);
    expect(promises(issued(0, 1), elsewhere, at(4, 6, asked(6)))).toEqual([]);
  });
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

test('of several violations the one that takes the fewest events to tell is shown', () => {
  const [root, child] = [issued(0, 1, { tokenId: 'k2' }), issued(2, 3, { parentId: 'k2' })];
  const ofLine = [root, child, revoked(4, 5, 'token', { tokenId: 'k2' }), answered(6, 7, true)];
  const ofOne = [issued(8, 9, { tokenId: 'k3' }), { ...answered(10, 11, false), tokenId: 'k3' }];
  const violations = judge([...ofLine, ...ofOne]);
  expect(violations).toHaveLength(2);
  expect(shortestOf(violations)?.history).toEqual(ofOne);
  expect(shortestOf([])).toBeUndefined();
});

describe('a database that was backed up from 10 to 12 and put back from 20 to 22', () => {
  const restored: Restored = { backup: { start: 10, end: 12 }, putBack: { start: 20, end: 22 }, lost: new Set() };
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

  test('may refuse for a while by what it lost, where there is any, and honour nothing by it', () => {
    const something: Restored = { ...restored, lost: new Set(['one']) };
    const wrongIn = (...events: Event[]) => judge(events, [something]).length;
    expect(wrongIn(kept, answered(23, 24, false))).toBe(0);
    expect(wrongIn(kept, answered(23 + 2 * fenceMilliseconds, 24 + 2 * fenceMilliseconds, false))).toBe(1);
    expect(wrongIn(kept, revoked(2, 3, 'all'), answered(23, 24, true))).toBe(1);
  });

  test('goes on: what is issued and revoked after it holds as ever', () => {
    const token = issued(23, 24);
    expect(afterwards(token, revoked(25, 26, 'all'), answered(27, 28, false))).toEqual([]);
    expect(afterwards(token, revoked(25, 26, 'all'), answered(27, 28, true))).toHaveLength(1);
    expect(afterwards(token, answered(27, 28, false))).toHaveLength(1);
    expect(afterwards(kept, revoked(25, 26, 'all'), answered(27, 28, true))).toHaveLength(1);
  });

  test('keeps what has ended for good by then, but not what ended since', () => {
    for (const level of ['disabled_app', 'disabled_server', 'consent', 'signing_key'] as const) {
      expect(afterwards(revoked(2, 3, level), issued(23, 24), answered(25, 26, false))).toHaveLength(1);
      expect(afterwards(revoked(13, 14, level), issued(23, 24), answered(25, 26, true))).toEqual([]);
      expect(afterwards(revoked(13, 14, level), issued(15, 16))).toHaveLength(1);
    }
  });

  test('goes on with what was under way and told after that, and it touches nothing that is asked for later', () => {
    const meanwhile = revoked(19, 25, 'all');
    for (const active of [true, false])
      expect(afterwards(meanwhile, issued(24, 26), answered(27, 28, active))).toEqual([]);
    expect(afterwards(meanwhile, issued(26, 27), answered(28, 29, true))).toEqual([]);
    expect(afterwards(meanwhile, issued(26, 27), answered(28, 29, false))).toEqual([
      'refused by a revocation from before it was asked for',
    ]);
  });

  test('holds to what was under way and was answered by the database that there is now', () => {
    const repeated = { ...revoked(19, 25, 'all'), answeredFrom: 24 };
    const wrong = ['active, full, after its revocation returned'];
    expect(afterwards(kept, repeated, answered(28, 29, true))).toEqual(wrong);
    expect(afterwards(kept, { ...repeated, answeredFrom: 19 }, answered(28, 29, true))).toEqual([]);
  });

  test('is complete of what was so by then, and of nothing that was lost', () => {
    const complete = (start: number): Completed => ({ type: 'completed', start, end: start + 1, revision: 7 });
    const old = { ...answered(33, 34, true, bounded), revision: 6 };
    expect(afterwards(kept, complete(2), old)).toEqual(['an answer that knows less than it had to']);
    expect(afterwards(kept, complete(13), old)).toEqual([]);
    expect(afterwards(kept, complete(23), old)).toEqual(['an answer that knows less than it had to']);
  });

  test('gives the sequences of what it lost to others', () => {
    const gone = issued(13, 14, { sequence: 8 });
    const later = issued(26, 27, { tokenId: 'k2', consentId: null, sequence: 7 });
    expect(afterwards(gone, revoked(23, 24, 'consent'), later, answered(28, 29, false))).toEqual([]);
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
    const again: Restored = { backup: { start: 30, end: 32 }, putBack: { start: 40, end: 42 }, lost: new Set() };
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

test('a run that is judged while a revocation is under way is not wrong because that has not been answered', async () => {
  const recorded = nothingRecorded();
  recorded.events.push(issued(0, 1));
  const { target } = revoked(0, 0, 'user');
  await whileUnderWay(recorded, target, async () => {
    const now = performance.now();
    recorded.events.push(answered(now, now + 1, false));
    expect(judge(happened(recorded))).toEqual([]);
  });
  expect(judge(happened(recorded))).toHaveLength(1);
});
