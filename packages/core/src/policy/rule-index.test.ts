import fc from 'fast-check';
import { expect, test } from 'vitest';
import { within } from './cap.ts';
import { commonLimits, type Dimensions, defaultPolicy, type Limits, type Rule } from './policy.ts';
import { RuleIndex } from './rule-index.ts';

const [unlimited] = defaultPolicy('t1').rules as [Rule];
const values = {
  clientType: ['service', 'web', 'native', 'browser', 'partner'],
  hostingType: ['first_party', 'customer_cloud', 'partner_cloud', 'on_premises', 'end_user_device'],
  usage: ['interactive', 'batch', 'automation', 'test'],
  audience: ['s1', 's2', 's3'],
  environment: ['production', 'staging'],
} as const;
const match = fc.record({
  clientType: fc.option(fc.subarray([...values.clientType])),
  hostingType: fc.option(fc.subarray([...values.hostingType])),
  usage: fc.option(fc.subarray([...values.usage])),
  audience: fc.option(fc.subarray<string>([...values.audience])),
  environment: fc.option(fc.subarray<string>([...values.environment])),
});
const about: fc.Arbitrary<Dimensions> = fc.record({
  clientType: fc.constantFrom(...values.clientType),
  hostingType: fc.constantFrom(...values.hostingType),
  usage: fc.constantFrom(...values.usage),
  // Values that no rule names, too, and the names of what every object has.
  audience: fc.constantFrom(...values.audience, 's4', 'constructor'),
  environment: fc.constantFrom(...values.environment, 'test', '__proto__'),
});

test('an index costs little: there is one for each tenant', () => {
  const bytes = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const count = 2_000;
  const before = bytes();
  const indexes = Array.from({ length: count }, () => new RuleIndex([unlimited]));
  const asked = { clientType: 'web', hostingType: 'first_party', usage: 'batch', audience: 's1', environment: 'test' };
  for (const index of indexes) expect(index.about(asked as Dimensions).rules).toEqual([unlimited]);
  expect((bytes() - before) / count).toBeLessThan(20_000);
});

test('the rules about a token are those that each dimension of it fits', () => {
  fc.assert(
    fc.property(fc.array(match, { maxLength: 100 }), about, (matches, asked) => {
      const rules = matches.map((match, at): Rule => ({ ...unlimited, ruleId: `r${at}`, match }));
      const fits = ({ match }: Rule) =>
        Object.entries(asked).every(([dimension, value]) => {
          const allowed: readonly string[] | null = match[dimension as keyof Dimensions];
          return allowed === null || allowed.includes(value);
        });
      const index = new RuleIndex(rules);
      expect(index.about(asked).rules).toEqual(rules.filter(fits));
      expect(index.about(asked)).toBe(index.about(asked));
    }),
    { numRuns: 1_000 },
  );
});

const seconds = fc.option(fc.integer({ min: 1, max: 100 }));
const limits: fc.Arbitrary<Limits> = fc.record({
  scopes: fc.option(fc.subarray(['read', 'write', 'pay'])),
  sensitivityMax: fc.constant(null),
  ttlMax: seconds,
  methods: fc.option(fc.subarray(['reference', 'signed'] as const)),
  confirmations: fc.option(fc.subarray(['certificate', 'key'] as const, { minLength: 1 })),
  consentAgeMax: seconds,
  liveTokens: fc.option(fc.record({ max: fc.nat(5), onMax: fc.constantFrom('refuse', 'revoke_oldest') })),
});

test('limits taken together allow what each of them allows', () => {
  const asked = fc.record({
    scopes: fc.subarray(['read', 'write', 'pay'], { minLength: 1 }),
    ttl: seconds,
    method: fc.constantFrom('reference' as const, 'signed' as const),
    confirmation: fc.option(fc.constantFrom({ key: 'k' }, { certificate: 'c' })),
    consentAge: seconds,
  });
  const capOf = ({ scopes, ...others }: Limits) => ({ by: 'rule', ...others, scopes: scopes && new Set(scopes) });
  fc.assert(
    fc.property(fc.array(limits, { maxLength: 6 }), asked, (some, wanted) => {
      const together = within([capOf(commonLimits(some))], wanted);
      const each = within(some.map(capOf), wanted);
      expect([together.scopes, together.ttl, together.liveTokens]).toEqual([each.scopes, each.ttl, each.liveTokens]);
      expect(together.excess.length > 0).toBe(each.excess.length > 0);
    }),
    { numRuns: 2_000 },
  );
});

test('of sensitivities the least harm', () => {
  const [low, high] = (['low', 'high'] as const).map((sensitivityMax) => ({ ...unlimited.limits, sensitivityMax }));
  expect(commonLimits([high, low] as Limits[]).sensitivityMax).toBe('low');
  expect(commonLimits([unlimited.limits, high] as Limits[]).sensitivityMax).toBe('high');
});
