import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Cap } from '../policy/cap.ts';
import { Watermarks } from '../revisions/watermarks.ts';
import { ancestor, record } from '../test-record.ts';
import type { Opened } from '../tokens/token-method.ts';
import { idOf, type TokenClass, type TokenRecord } from '../tokens/token-record.ts';
import { type Demand, decide, type RefusalReason } from './decide.ts';

const opened = (over: Partial<Opened> = {}): Opened => ({
  userId: null,
  claims: {},
  principal: null,
  scopes: ['read'],
  expiresAt: 1_000,
  requests: [],
  ...over,
});
const demand: Demand = { tokenClass: 'token', audience: 's1', scopes: ['read'], request: null, proof: null };

const marksOver = (...tokens: readonly TokenRecord[]): Watermarks =>
  new Watermarks(
    tokens.map((token) => ({
      kind: 'token',
      key: idOf(token),
      tokenClass: 'token',
      ceiling: null,
      sparedTokenId: null,
      sparedCeiling: 0,
      coversUntil: null,
    })),
  );

interface Question {
  readonly record: TokenRecord | null;
  readonly opened: Opened | null;
  readonly watermarks: Watermarks;
  readonly demand: Demand;
  readonly now: number;
  readonly held: Cap | null;
}

const honoured: Question = {
  record: record(),
  opened: opened(),
  watermarks: new Watermarks(),
  demand,
  now: 0,
  held: null,
};
const answer = (over: Partial<Question>) => {
  const question = { ...honoured, ...over };
  const { record, opened, watermarks, demand, now, held } = question;
  return decide(record, opened, watermarks, demand, now, held);
};

/** Each reason alone, the one that is told first where several hold, first. */
const reasons: readonly (readonly [RefusalReason, Partial<Question>])[] = [
  ['unknown', { record: null }],
  ['revoked', { watermarks: marksOver(record()) }],
  ['tampered', { opened: null }],
  ['audience_mismatch', { demand: { ...demand, audience: 's2' } }],
  ['policy', { held: { by: 'policy', methods: ['signed'] } }],
  [
    'proof_invalid',
    { record: record({ confirmation: '{"jkt":"one"}' }), demand: { ...demand, proof: { key: 'other' } } },
  ],
  ['expired', { now: 1_000 }],
  ['scope_missing', { opened: opened({ scopes: [] }) }],
  ['request_mismatch', { opened: opened({ requests: ['this'] }) }],
];

test('what no reason speaks against is honoured, as it was read and opened', () => {
  expect(answer({})).toEqual({ active: true, record: honoured.record, opened: honoured.opened });
});

test.each(reasons)('%s', (reason, over) => {
  expect(answer(over)).toEqual({ active: false, reason });
});

test.each([
  ['its class is another', { demand: { ...demand, tokenClass: 'credential' } }, 'audience_mismatch'],
  ['nothing in particular is asked for', { demand: { ...demand, scopes: [] } }, 'scope_missing'],
  [
    'it is good for another request',
    { opened: opened({ requests: ['this'] }), demand: { ...demand, request: 'that' } },
    'request_mismatch',
  ],
  [
    'it is good for two requests, which none can be',
    { opened: opened({ requests: ['this', 'that'] }), demand: { ...demand, request: 'that' } },
    'request_mismatch',
  ],
  ['one of two scopes is missing', { demand: { ...demand, scopes: ['read', 'write'] } }, 'scope_missing'],
  ['a scope is only the beginning of another', { demand: { ...demand, scopes: ['rea'] } }, 'scope_missing'],
  [
    'the string has fewer scopes than the record',
    {
      record: record({ scopes: ['read', 'write'] }),
      opened: opened({ scopes: ['write'] }),
    },
    'scope_missing',
  ],
  ['the string ends before the record', { opened: opened({ expiresAt: 500 }), now: 500 }, 'expired'],
  ['the string has a scope that the record lacks', { opened: opened({ scopes: ['read', 'write'] }) }, 'tampered'],
  ['the string ends after the record', { opened: opened({ expiresAt: 1_001 }) }, 'tampered'],
  [
    'what it was derived from has ended',
    { record: record({ lineage: [ancestor(), ancestor({ expiresAt: 500 })] }), now: 500 },
    'expired',
  ],
] satisfies [string, Partial<Question>, RefusalReason][])('refused where %s', (_, over, reason) => {
  expect(answer(over)).toEqual({ active: false, reason });
});

test('what proves nothing is told from nothing that came', () => {
  const bound = { record: record({ confirmation: '{"jkt":"one"}' }) };
  const proven = (proof: Demand['proof']) => answer({ ...bound, demand: { ...demand, proof } });
  expect(proven(null)).toEqual({ active: false, reason: 'proof_required' });
  expect(proven('nothing')).toEqual({ active: false, reason: 'proof_invalid' });
  expect(proven({ certificate: 'one' })).toEqual({ active: false, reason: 'proof_invalid' });
  expect(proven({ key: 'one' })).toMatchObject({ active: true });
});

test('of several reasons the first is told', () => {
  fc.assert(
    fc.property(fc.subarray([...reasons], { minLength: 1 }), (held) => {
      // Merged from the back, for two of them set the same thing.
      const question = Object.assign({}, ...held.toReversed().map(([, over]) => over));
      expect(answer(question)).toEqual({ active: false, reason: held[0]?.[0] });
    }),
  );
});

test('it is alive in the last millisecond before each end, and not in the first one after', () => {
  const ends = fc.integer({ min: 1, max: 3_000 });
  fc.assert(
    fc.property(ends, fc.nat(), fc.array(ends, { maxLength: 4 }), (expiresAt, longer, ancestors) => {
      const end = Math.min(expiresAt, ...ancestors);
      const lineage = ancestors.map((one) => ancestor({ expiresAt: one }));
      const question = {
        record: record({ expiresAt: expiresAt + longer, lineage }),
        opened: opened({ expiresAt }),
      };
      expect(answer({ ...question, now: end - 1 }).active).toBe(true);
      expect(answer({ ...question, now: end })).toEqual({ active: false, reason: 'expired' });
    }),
  );
});

const scopes = fc.subarray(['a', 'b']);
// Mostly alike, so that much of what is asked is honoured.
const tokenClass = fc.constantFrom<TokenClass>('token', 'token', 'token', 'credential');
const audience = fc.constantFrom('s1', 's1', 's1', 's2');
const someOpened = fc
  .record({ scopes, expiresAt: fc.integer({ min: 0, max: 5 }), requests: fc.subarray(['this']) })
  .map(opened);
const someCap: fc.Arbitrary<Cap> = fc.record(
  {
    by: fc.constant('policy'),
    scopes: fc.option(scopes.map((some) => new Set(some))),
    ttlMax: fc.option(fc.nat(1)),
    methods: fc.option(fc.subarray(['reference', 'signed'] as const)),
    confirmations: fc.option(fc.constant(['key' as const])),
  },
  { requiredKeys: ['by'] },
);
const someQuestion: fc.Arbitrary<Question> = fc.record({
  record: fc.option(
    fc
      .record({
        tokenClass,
        audience,
        scopes,
        expiresAt: fc.integer({ min: 0, max: 5 }),
        confirmation: fc.constantFrom(null, null, '{"jkt":"one"}'),
      })
      .map(record),
    { freq: 9 },
  ),
  opened: fc.option(someOpened, { freq: 9 }),
  watermarks: fc.constantFrom(new Watermarks(), new Watermarks(), marksOver(record())),
  demand: fc.record({
    tokenClass,
    audience,
    scopes,
    request: fc.constantFrom(null, 'this', 'that'),
    proof: fc.constantFrom(null, null, 'nothing' as const, { key: 'one' }, { key: 'other' }, { certificate: 'one' }),
  }),
  now: fc.integer({ min: 0, max: 5 }),
  held: fc.option(someCap, { freq: 2 }),
});

test('whatever is honoured is alive, meant for who asks, and allowed all that was asked for by its record and by its string', () => {
  fc.assert(
    fc.property(someQuestion, (question) => {
      const decision = answer(question);
      if (!decision.active) return;
      expect(decision.record).toBe(question.record);
      expect(decision.opened).toBe(question.opened);
      expect(question.now).toBeLessThan(decision.opened.expiresAt);
      expect(decision.opened.expiresAt).toBeLessThanOrEqual(decision.record.expiresAt);
      expect(decision.record.scopes).toEqual(expect.arrayContaining([...decision.opened.scopes]));
      expect(decision.record).toMatchObject({ audience: question.demand.audience });
      expect(question.demand.scopes.length).toBeGreaterThan(0);
      expect(decision.opened.scopes).toEqual(expect.arrayContaining([...question.demand.scopes]));
      if (decision.record.confirmation !== null) expect(question.demand.proof).toEqual({ key: 'one' });
      expect([question.demand.request]).toEqual(expect.arrayContaining([...decision.opened.requests]));
    }),
    { numRuns: 2_000 },
  );
});

test('whatever a policy holds, it honours nothing that is refused without it, and nothing that is beyond it', () => {
  fc.assert(
    fc.property(someQuestion, (question) => {
      if (!answer(question).active) return;
      expect(answer({ ...question, held: null }).active).toBe(true);
      const { scopes = null, methods = null, confirmations = null } = question.held ?? {};
      if (scopes) expect([...scopes]).toEqual(expect.arrayContaining([...(question.record?.scopes ?? [])]));
      if (methods) expect(methods).toContain(question.record?.method);
      if (confirmations) expect(question.record?.confirmation).toBe('{"jkt":"one"}');
    }),
    { numRuns: 2_000 },
  );
});

test('nothing that is refused is honoured for a string that allows less, later, or with more asked of it', () => {
  fc.assert(
    fc.property(someQuestion, scopes, fc.nat({ max: 5 }), (question, left, less) => {
      const decision = answer(question);
      if (decision.active) return;
      const narrower = question.opened && {
        ...question.opened,
        scopes: question.opened.scopes.filter((scope) => left.includes(scope)),
        expiresAt: question.opened.expiresAt - less,
      };
      // One that allowed too much may turn into one that was allowed.
      if (decision.reason !== 'tampered') expect(answer({ ...question, opened: narrower }).active).toBe(false);
      expect(answer({ ...question, now: question.now + less }).active).toBe(false);
      if (question.demand.scopes.length === 0) return;
      const more = [...question.demand.scopes, ...left];
      expect(answer({ ...question, demand: { ...question.demand, scopes: more } }).active).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});
