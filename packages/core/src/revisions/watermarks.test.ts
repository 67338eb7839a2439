import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ancestor, record } from '../test-record.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import { idOf } from '../tokens/token-record.ts';
import { appUserKey, type Cut, type CutKind } from './revision.ts';
import { Watermarks } from './watermarks.ts';

const someRecord: fc.Arbitrary<TokenRecord> = fc
  .record({
    tokenClass: fc.constantFrom('token' as const, 'credential' as const),
    tenantId: fc.constantFrom('t1', 't2'),
    appId: fc.constantFrom('a1', 'a2', null),
    userHandle: fc.constantFrom('u1', 'u2', null),
    audience: fc.constantFrom('s1', 's2'),
    sequence: fc.integer({ min: 1, max: 6 }),
    key: fc.constantFrom('0', '1', '2').map((digit) => ({ partition: 1, key: digit.repeat(32) })),
  })
  .map(record);

const keysOf: Record<CutKind, readonly string[]> = {
  all: [''],
  tenant: ['t1', 't2'],
  app: ['a1', 'a2'],
  user: ['u1', 'u2'],
  app_user: [appUserKey('a1', 'u1'), appUserKey('a2', 'u2')],
  resource_server: ['s1', 's2'],
  token: ['0', '1', '2'].map((digit) => idOf(record({ key: { partition: 1, key: digit.repeat(32) } }))),
};

const someCut: fc.Arbitrary<Cut> = fc.constantFrom(...(Object.keys(keysOf) as CutKind[])).chain((kind) =>
  fc.record({
    revocationId: fc.constant('r'),
    kind: fc.constant(kind),
    key: fc.constantFrom(...keysOf[kind]),
    // One token is cut under one class, whatever its own.
    tokenClass:
      kind === 'token' ? fc.constant('token' as const) : fc.constantFrom('token' as const, 'credential' as const),
    ceiling: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constant(null)),
    sparedTokenId: fc.constantFrom(null, null, ...keysOf.token),
    coversUntil: fc.constant(null),
  }),
);

/** The meaning of a cut, one by one and without folding. */
function isCut(token: TokenRecord, cut: Cut): boolean {
  const { appId, userHandle } = token;
  const keys: Record<CutKind, string | null> = {
    all: '',
    tenant: token.tenantId,
    app: appId,
    user: userHandle,
    app_user: appId && userHandle && appUserKey(appId, userHandle),
    resource_server: token.audience,
    token: idOf(token),
  };
  const isMeant = (cut.kind === 'token' || cut.tokenClass === token.tokenClass) && keys[cut.kind] === cut.key;
  return isMeant && cut.sparedTokenId !== idOf(token) && (cut.ceiling === null || token.sequence <= cut.ceiling);
}

test('the folded marks revoke exactly what the cuts do one by one, whatever their order and levels', () => {
  fc.assert(
    fc.property(
      fc.array(someCut, { maxLength: 12 }),
      fc.array(someRecord, { minLength: 1, maxLength: 6 }),
      (cuts, tokens) => {
        const marks = new Watermarks();
        for (const cut of cuts) marks.raise(cut);
        for (const token of tokens) expect(marks.revokes(token)).toBe(cuts.some((cut) => isCut(token, cut)));
      },
    ),
    { numRuns: 3_000 },
  );
});

test('a token is revoked where it or one of its ancestors is', () => {
  const tokens = fc.array(
    someRecord.map((one) => ({ ...one, tokenClass: 'token' as const })),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(fc.array(someCut, { maxLength: 6 }), someRecord, tokens, (cuts, token, ancestors) => {
      const marks = new Watermarks();
      for (const cut of cuts) marks.raise(cut);
      const lineage = ancestors.map((one) => ({ ...one, tokenId: idOf(one) }));
      const isAnyCut = [token, ...ancestors].some((one) => cuts.some((cut) => isCut(one, cut)));
      expect(marks.revokes({ ...token, lineage })).toBe(isAnyCut);
    }),
    { numRuns: 1_000 },
  );
});

test('a cut never brings back what another has taken', () => {
  fc.assert(
    fc.property(fc.array(someCut, { maxLength: 8 }), someCut, someRecord, (cuts, one, token) => {
      const marks = new Watermarks();
      for (const cut of cuts) marks.raise(cut);
      const before = marks.revokes(token);
      marks.raise(one);
      if (before) expect(marks.revokes(token)).toBe(true);
    }),
  );
});

test('a token dies with any token that it was derived from', () => {
  const parent = record({ key: { partition: 1, key: '1'.repeat(32) }, sequence: 1, appId: 'other', userHandle: 'u2' });
  const { sequence, appId, userHandle } = parent;
  const child = record({ sequence: 9, lineage: [ancestor({ tokenId: idOf(parent), sequence, appId, userHandle })] });
  const cut = { revocationId: 'r', tokenClass: 'token', sparedTokenId: null, coversUntil: null } as const;
  const ways: Cut[] = [
    { ...cut, kind: 'token', key: idOf(parent), ceiling: null },
    { ...cut, kind: 'app', key: 'other', ceiling: 1 },
    { ...cut, kind: 'user', key: 'u2', ceiling: 1 },
    { ...cut, kind: 'all', key: '', ceiling: 1 },
  ];
  expect(new Watermarks().revokes(child)).toBe(false);
  for (const way of ways) {
    const marks = new Watermarks();
    marks.raise(way);
    expect(marks.revokes(child), way.kind).toBe(true);
  }
});
