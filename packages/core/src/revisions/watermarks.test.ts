import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut } from '../test-history.ts';
import { ancestor, record } from '../test-record.ts';
import { partitionEnd, partitionOf } from '../tokens/token-key.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import { idOf } from '../tokens/token-record.ts';
import { segmentsCount } from './mark-segment.ts';
import { appUserKey, type Cut, type CutKind } from './revision.ts';
import { type Mark, raise, Watermarks } from './watermarks.ts';

const someRecord: fc.Arbitrary<TokenRecord> = fc
  .record({
    tokenClass: fc.constantFrom('token' as const, 'credential' as const),
    tenantId: fc.constantFrom('t1', 't2'),
    appId: fc.constantFrom('a1', 'a2', null),
    userHandle: fc.constantFrom('u1', 'u2', null),
    audience: fc.constantFrom('s1', 's2'),
    consentId: fc.constantFrom('c1', 'c2', null),
    signingKeyId: fc.constantFrom('k1', 'k2', null),
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
  consent: ['c1', 'c2'],
  signing_key: ['k1', 'k2'],
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
    consent: token.consentId,
    signing_key: token.signingKeyId,
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

test('of two operators who revoke everything at the same time, credentials included, each is spared by its own call alone', () => {
  const credentials = ['1', '2', '3'].map((digit) =>
    record({ tokenClass: 'credential', sequence: 1, key: { partition: 1, key: digit.repeat(32) } }),
  );
  const calls = credentials
    .slice(0, 2)
    .map((own) => cut('', 5, { kind: 'all', tokenClass: 'credential', sparedTokenId: idOf(own) }));
  for (const [first, second] of [calls, calls.toReversed()] as [Cut, Cut][]) {
    const marks = new Watermarks();
    marks.raise(first);
    expect(credentials.filter((one) => !marks.revokes(one)).map(idOf)).toEqual([first.sparedTokenId]);
    marks.raise(second);
    expect(credentials.map((one) => marks.revokes(one))).toEqual([true, true, true]);
  }
});

test('marks that were folded, stored and loaded revoke what the cuts did, and go on from there', () => {
  const cuts = fc.array(someCut, { maxLength: 8 });
  fc.assert(
    fc.property(cuts, cuts, fc.array(someRecord, { minLength: 1, maxLength: 6 }), (before, after, tokens) => {
      const stored = new Map<string, Mark>();
      for (const one of before) {
        const target = JSON.stringify([one.tokenClass, one.kind, one.key]);
        stored.set(target, raise(stored.get(target), one));
      }
      const marks = new Watermarks(stored.values());
      for (const one of after) marks.raise(one);
      const all = [...before, ...after];
      for (const token of tokens) expect(marks.revokes(token)).toBe(all.some((one) => isCut(token, one)));
    }),
    { numRuns: 1_000 },
  );
});

// A client's own cut-off hid a later one of the realm; an old one of the realm hid a client's.
test('Keycloak CVE-2026-8922, CVE-2026-18218: the widest and latest cut always wins, whatever combination of levels is set, in any order', () => {
  const token = record({ sequence: 5, consentId: 'c1', signingKeyId: 'k1' });
  const levels = (Object.keys(keysOf) as CutKind[]).map((kind) => ({ kind, key: keysOf[kind][0] as string }));
  const ceiling = fc.option(fc.integer({ min: 0, max: 9 }), { freq: 9 });
  const cuts = fc
    .subarray(levels)
    .chain((some) =>
      fc.tuple(
        ...some.map((level) =>
          fc
            .array(ceiling, { minLength: 1, maxLength: 3 })
            .map((all) => all.map((one) => cut(level.key, 0, { kind: level.kind, ceiling: one }))),
        ),
      ),
    )
    .chain((some) => fc.shuffledSubarray(some.flat(), { minLength: some.flat().length }));
  fc.assert(
    fc.property(cuts, (all) => {
      const marks = new Watermarks();
      for (const one of all) marks.raise(one);
      const highest = Math.max(-1, ...all.map((one) => one.ceiling ?? Number.POSITIVE_INFINITY));
      expect(marks.revokes(token)).toBe(token.sequence <= highest);
    }),
    { numRuns: 2_000 },
  );
});

const day = 86_400_000;
const ttl = 5 * day;
const forgetAll = (marks: Watermarks, now: number) => {
  for (let i = 0; i < segmentsCount; i++) marks.forget(now);
};

/** Time as it passes for a database, and two who follow: one of them forgets. */
class Timeline {
  readonly kept = new Watermarks();
  readonly forgetting = new Watermarks();
  readonly tokens: TokenRecord[] = [];
  now = 0;

  issue(over: Partial<TokenRecord>, life: number, isDerived: boolean): void {
    const parent = isDerived ? this.tokens.at(-1) : undefined;
    const expiresAt = this.now + life;
    const key = { partition: partitionOf(expiresAt), key: String(this.tokens.length).padStart(32, '0') };
    const lineage = parent ? [{ ...parent, tokenId: idOf(parent) }, ...parent.lineage] : [];
    this.tokens.push(record({ ...over, key, lineage, sequence: this.tokens.length + 1, expiresAt }));
  }

  revoke(kind: CutKind, key: string, over: Partial<Cut>): void {
    this.#raise({ ...cut(key, this.tokens.length, { kind }), coversUntil: this.now + ttl, ...over });
  }

  revokeToken({ key }: TokenRecord): void {
    this.#raise(
      cut(idOf(record({ key })), 0, { kind: 'token', ceiling: null, coversUntil: partitionEnd(key.partition) }),
    );
  }

  /** Also if the clock was a day ahead. */
  canLive = (token: TokenRecord): boolean =>
    [token, ...token.lineage].every(({ expiresAt }) => this.now - day < expiresAt);

  #raise(one: Cut): void {
    this.kept.raise(one);
    this.forgetting.raise(one);
  }
}

test('what is forgotten changes the answer about no token that can be alive', () => {
  type Step = (timeline: Timeline) => void;
  const pick = <T>(all: readonly T[], i: number): T | undefined => all[i % Math.max(1, all.length)];
  const issue: fc.Arbitrary<Step> = fc.tuple(someRecord, fc.integer({ min: 1, max: ttl }), fc.boolean()).map(
    ([token, life, isDerived]) =>
      (timeline) =>
        timeline.issue(token, life, isDerived),
  );
  const revoke: fc.Arbitrary<Step> = fc
    .tuple(someCut, fc.boolean(), fc.nat())
    .map(([{ kind, key, tokenClass }, isForever, spared]) => (timeline) => {
      const token = pick(timeline.tokens, spared);
      if (kind === 'token') return token && timeline.revokeToken(token);
      const sparedTokenId = token && spared % 2 ? idOf(token) : null;
      const forever = isForever && spared % 4 === 0 ? { ceiling: null, coversUntil: null } : {};
      timeline.revoke(kind, key, { tokenClass, sparedTokenId, ...forever });
    });
  const pass: fc.Arbitrary<Step> = fc.integer({ min: 0, max: 4 * day }).map((time) => (timeline) => {
    timeline.now += time;
  });
  const forget: fc.Arbitrary<Step> = fc.constantFrom(segmentsCount, segmentsCount / 2).map((calls) => (timeline) => {
    for (let i = 0; i < calls; i++) timeline.forgetting.forget(timeline.now);
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(issue, revoke, pass, forget), { minLength: 10, maxLength: 40 }), (steps) => {
      const timeline = new Timeline();
      for (const step of steps) {
        step(timeline);
        for (const token of timeline.tokens.filter(timeline.canLive)) {
          expect(timeline.forgetting.revokes(token)).toBe(timeline.kept.revokes(token));
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('what ended more than a day ago is forgotten, with whom it spared; what never ends stays', () => {
  const marks = new Watermarks();
  const spared = record({ key: { partition: 1, key: '1'.repeat(32) } });
  marks.raise(cut('u1', 5, { coversUntil: ttl, sparedTokenId: idOf(spared) }));
  marks.raise(cut('u2', 5));
  marks.raise(cut('u2', 1, { coversUntil: ttl }));
  forgetAll(marks, ttl + day);
  expect(marks.revokes(record({ userHandle: 'u1' }))).toBe(true);
  forgetAll(marks, ttl + day + 1);
  expect(marks.revokes(record({ userHandle: 'u1' }))).toBe(false);
  expect(marks.revokes(record({ userHandle: 'u2' }))).toBe(true);
  marks.raise(cut('u1', 7, { coversUntil: null }));
  expect(marks.revokes(spared)).toBe(true);
});

test('of what was stored, all is taken up that would not be forgotten, and nothing else', () => {
  const stored = [cut('u1', 5, { coversUntil: ttl }), cut('u2', 5)].map((one) => raise(undefined, one));
  const takenUpAt = (now: number) => {
    const marks = new Watermarks();
    marks.addLasting(stored, now);
    const revoked = ['u1', 'u2'].filter((userHandle) => marks.revokes(record({ userHandle })));
    return { revoked, wholeBefore: [ttl - 1, ttl, ttl + 1].filter((one) => marks.isWholeAt(one)) };
  };
  expect(takenUpAt(ttl + day)).toEqual({ revoked: ['u1', 'u2'], wholeBefore: [ttl, ttl + 1] });
  expect(takenUpAt(ttl + day + 1)).toEqual({ revoked: ['u2'], wholeBefore: [ttl + 1] });
});

test.each([
  ['users', `({ kind: 'user', key: hash('md5', String(i), 'base64url') })`],
  ['single tokens', `({ kind: 'token', key: 'tok_' + hash('sha1', String(i)).slice(0, 26) })`],
])('a million revoked %s take less than 64 MB', async (_, target) => {
  const script = `
    import { hash } from 'node:crypto';
    import { Watermarks } from '${new URL('./watermarks.ts', import.meta.url)}';
    function used() {
      // Buffers are given back in the background; a second collection waits for that.
      gc();
      gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    }
    const target = (i) => ${target};
    const cut = { tokenClass: 'token', sparedTokenId: null, coversUntil: Date.now() };
    const before = used();
    const marks = new Watermarks();
    for (let i = 0; i < 1e6; i++) marks.raise({ ...cut, ...target(i), ceiling: i });
    console.log(used() - before);
    // So that it is all still there.
    marks.raise({ ...cut, ...target(0), ceiling: 1 });`;
  const args = ['--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(Number(stdout)).toBeGreaterThan(30_000_000);
  expect(Number(stdout)).toBeLessThan(64_000_000);
});
