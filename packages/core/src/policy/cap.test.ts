import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Cap, type Granted, ttlDefault, type Wanted, within } from './cap.ts';
import { refusalOf } from './refusal.ts';

const methods = ['reference', 'signed', 'split'] as const;
const names = ['read', 'write', 'admin', 'pay'];
const seconds = fc.integer({ min: 1, max: 2_000 });
const cap: fc.Arbitrary<Cap> = fc.record(
  {
    by: fc.constantFrom('app', 'tenant', 'rule a', 'rule b'),
    ofScope: fc.constantFrom(...names),
    scopes: fc.option(fc.subarray(names).map((some) => new Set(some))),
    ttlMax: fc.option(seconds),
    methods: fc.option(fc.subarray([...methods])),
    confirmations: fc.option(fc.subarray(['certificate', 'key'] as const, { minLength: 1 })),
    consentAgeMax: fc.option(seconds),
    liveTokens: fc.option(fc.record({ max: seconds, onMax: fc.constantFrom('refuse', 'revoke_oldest') })),
  },
  { requiredKeys: ['by'] },
);
const caps = fc.array(cap, { maxLength: 8 });
const wanted: fc.Arbitrary<Wanted> = fc.record({
  scopes: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 }),
  ttl: fc.option(seconds),
  method: fc.constantFrom(...methods),
  confirmation: fc.option(fc.constantFrom({ key: 'k' }, { certificate: 'c' })),
  consentAge: fc.option(fc.nat(2_000)),
});
/** Whose cap it is named after depends on which came first. */
const sorted = ({ excess }: Granted) => excess.map(({ what, asked }) => `${what} ${asked}`).sort();

test('one more cap never widens, wherever it stands; so one less never narrows', () => {
  fc.assert(
    fc.property(caps, cap, fc.nat(8), wanted, (some, one, at, asked) => {
      const before = within(some, asked);
      const after = within(some.toSpliced(at, 0, one), asked);
      expect(before.scopes).toEqual(expect.arrayContaining([...after.scopes]));
      expect(after.ttl).toBeLessThanOrEqual(before.ttl);
      expect(after.liveTokens?.max ?? Infinity).toBeLessThanOrEqual(before.liveTokens?.max ?? Infinity);
      expect(sorted(after)).toEqual(expect.arrayContaining(sorted(before)));
      for (const onExcess of ['refuse', 'cut_down'] as const) {
        if (refusalOf(before, onExcess)) expect(refusalOf(after, onExcess)).not.toBeNull();
      }
    }),
    { numRuns: 2_000 },
  );
});

test('their order never matters', () => {
  const shuffled = caps.chain((some) =>
    fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length, maxLength: some.length })),
  );
  fc.assert(
    fc.property(shuffled, wanted, ([some, others], asked) => {
      const [one, other] = [within(some, asked), within(others, asked)];
      const told = (granted: Granted) => [granted.scopes, granted.ttl, sorted(granted), granted.liveTokens];
      expect(told(other)).toEqual(told(one));
    }),
    { numRuns: 2_000 },
  );
});

test('what is granted was asked for, and is within each cap; what is not, is told of', () => {
  fc.assert(
    fc.property(caps, wanted, (some, asked) => {
      const { scopes, ttl, excess } = within(some, asked);
      expect(new Set(scopes).size).toBe(scopes.length);
      expect(ttl).toBeLessThanOrEqual(asked.ttl ?? ttlDefault);
      for (const { scopes: allowed, ttlMax, ofScope } of some) {
        for (const scope of scopes) expect(allowed?.has(scope) ?? true).toBe(true);
        const applies = ofScope === undefined || asked.scopes.includes(ofScope);
        if (applies) expect(ttl).toBeLessThanOrEqual(ttlMax ?? ttl);
      }
      const lost = asked.scopes.filter((scope) => !scopes.includes(scope));
      for (const scope of lost) expect(excess).toContainEqual(expect.objectContaining({ what: 'scope', asked: scope }));
      if (asked.ttl !== null && ttl < asked.ttl) expect(excess.map(({ what }) => what)).toContain('ttl');
      if (excess.length === 0) expect([scopes, ttl]).toEqual([[...new Set(asked.scopes)], asked.ttl ?? ttl]);
    }),
    { numRuns: 2_000 },
  );
});

test('without any cap all is granted, for no longer than usual', () => {
  const asked: Wanted = { scopes: ['read'], ttl: null, method: 'reference', confirmation: null, consentAge: null };
  expect(within([], asked)).toEqual({ scopes: ['read'], ttl: ttlDefault, excess: [], liveTokens: null });
});

test.each<[string, Cap, Partial<Wanted>, string, object]>([
  ['a scope', { by: 'app', scopes: new Set(['write']) }, {}, 'scope_not_allowed', { scope: 'read', limited_by: 'app' }],
  ['time', { by: 'tenant', ttlMax: 60 }, { ttl: 61 }, 'ttl_too_long', { max_seconds: '60', limited_by: 'tenant' }],
  ['the method', { by: 'rule a', methods: ['split'] }, {}, 'method_not_allowed', { limited_by: 'rule a' }],
  [
    'what it is bound to',
    { by: 'rule a', confirmations: ['key'] },
    { confirmation: { certificate: 'c' } },
    'confirmation_required',
    { kinds: 'key', limited_by: 'rule a' },
  ],
  ['what it is bound to, where it is not', { by: 'rule a', confirmations: ['key'] }, {}, 'confirmation_required', {}],
  [
    'the consent',
    { by: 'rule a', consentAgeMax: 60 },
    { consentAge: 61 },
    'consent_too_old',
    { max_seconds: '60', limited_by: 'rule a' },
  ],
])('%s beyond a cap is refused in its own words', (_, one, over, code, metadata) => {
  const asked: Wanted = { scopes: ['read'], ttl: null, method: 'reference', confirmation: null, consentAge: null };
  const refusal = refusalOf(within([one], { ...asked, ...over }), 'refuse');
  expect(refusal).toMatchObject({ code, metadata: expect.objectContaining(metadata) });
});

test('each thing is told of once, however many caps it is beyond', () => {
  const many: Cap[] = Array.from({ length: 1_000 }, (_, i) => ({
    by: `rule ${i}`,
    scopes: new Set(['read']),
    ttlMax: 1_000 - i,
    methods: ['split'],
    confirmations: ['key'],
    consentAgeMax: 1_000 - i,
  }));
  const scopes = Array.from({ length: 64 }, (_, i) => `s${i}`);
  const asked: Wanted = { scopes, ttl: 5_000, method: 'reference', confirmation: null, consentAge: 5_000 };
  const { excess } = within([{ by: 'policy', scopes: new Set(['read']), parts: () => many }], asked);
  expect(excess).toHaveLength(64 + 4);
  expect(excess).toContainEqual({ by: 'rule 999', what: 'ttl', asked: '5000', allowed: '1' });
  expect(excess).toContainEqual({ by: 'rule 0', what: 'scope', asked: 's63', allowed: '' });
});
