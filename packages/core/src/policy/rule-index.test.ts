import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Dimensions, defaultPolicy, type Rule } from './policy.ts';
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

test('the rules about a token are those that each dimension of it fits', () => {
  fc.assert(
    fc.property(fc.array(match, { maxLength: 100 }), about, (matches, asked) => {
      const rules = matches.map((match, at): Rule => ({ ...unlimited, ruleId: `r${at}`, match }));
      const fits = ({ match }: Rule) =>
        Object.entries(asked).every(([dimension, value]) => {
          const allowed: readonly string[] | null = match[dimension as keyof Dimensions];
          return allowed === null || allowed.includes(value);
        });
      expect(new RuleIndex(rules).matching(asked)).toEqual(rules.filter(fits));
    }),
    { numRuns: 1_000 },
  );
});
