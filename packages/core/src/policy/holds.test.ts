import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StoreUnavailable } from '../errors.ts';
import type { App } from '../register/registration.ts';
import { ancestor, record } from '../test-record.ts';
import { registration } from '../test-registry.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import { isBeyond } from './cap.ts';
import { Holds } from './holds.ts';
import { type Limits, type Match, type Rule, unlimited } from './policy.ts';
import { RuleIndex } from './rule-index.ts';

const app = registration.app as App;
const anything: Match = { clientType: null, hostingType: null, usage: null, audience: null, environment: null };
const rule = (match: Partial<Match>, limits: Partial<Limits> = { scopes: [] }): Rule => ({
  ruleId: 'r',
  description: '',
  match: { ...anything, ...match },
  limits: { ...unlimited, ...limits },
});
const kindOf = async (appId: string) => (appId === 'a1' ? app : null);

async function refuses(rules: readonly Rule[], token: TokenRecord, owned = registration.resourceServer?.scopes ?? []) {
  const [cap = null] = await new Holds(new RuleIndex(rules), owned, kindOf).capsOf([token]);
  return cap !== null && isBeyond(cap, token);
}

const tenMinutes = { issuedAt: 0, expiresAt: 600_000 };

test.each<[string, Partial<Limits>, Partial<TokenRecord>, boolean]>([
  ['more scopes', { scopes: ['read'] }, { scopes: ['read', 'write'] }, true],
  ['no more scopes', { scopes: ['read', 'write'] }, { scopes: ['read'] }, false],
  ['more harm', { sensitivityMax: 'low' }, {}, true],
  ['as much harm', { sensitivityMax: 'normal' }, {}, false],
  ['a longer life', { ttlMax: 599 }, tenMinutes, true],
  ['the longest life', { ttlMax: 600 }, tenMinutes, false],
  ['another method', { methods: ['signed'] }, {}, true],
  ['no binding', { confirmations: ['key'] }, {}, true],
  ['another binding', { confirmations: ['key'] }, { confirmation: '{"x5t#S256":"c"}' }, true],
  ['the binding', { confirmations: ['key', 'certificate'] }, { confirmation: '{"x5t#S256":"c"}' }, false],
  ['nothing that its record tells of', { consentAgeMax: 1, liveTokens: { max: 1, onMax: 'refuse' } }, {}, false],
])('a token that was granted %s than a rule allows', async (_, limits, over, isRefused) => {
  expect(await refuses([rule({}, limits)], record(over))).toBe(isRefused);
});

test.each<[string, Partial<Match>]>([
  ['client type', { clientType: ['service'] }],
  ['hosting type', { hostingType: ['on_premises'] }],
  ['environment', { environment: ['staging'] }],
  ['usage', { usage: ['batch'] }],
  ['audience', { audience: ['s2'] }],
])('a rule about another %s holds nothing against it', async (_, match) => {
  expect(await refuses([rule(match)], record())).toBe(false);
  expect(await refuses([rule({ ...match, ...here })], record())).toBe(true);
});
const here: Match = {
  clientType: ['web'],
  hostingType: ['first_party'],
  environment: ['production'],
  usage: ['test'],
  audience: ['s1'],
};

test('what was derived from one that may have nothing is refused with it', async () => {
  const child = record({ audience: 's2', lineage: [ancestor({ audience: 's3' }), ancestor()] });
  expect(await refuses([rule({ audience: ['s1'] })], child)).toBe(true);
  expect(await refuses([rule({ audience: ['s1'] }, { scopes: ['other'] })], child)).toBe(false);
  expect(await refuses([rule({ audience: ['s4'] })], child)).toBe(false);
});

test('where the resource server is not known, none of its scopes is taken for harmless', async () => {
  expect(await refuses([rule({}, { sensitivityMax: 'high' })], record())).toBe(false);
  expect(await refuses([rule({}, { sensitivityMax: 'high' })], record(), [])).toBe(true);
});

test('of an app that is not known nothing is honoured', async () => {
  expect(await refuses([rule({ usage: ['batch'] })], record({ appId: 'a9' }))).toBe(true);
});

test('of what kind an app is, is read once, also for those who ask at once', async () => {
  const asked: string[] = [];
  const holds = new Holds(new RuleIndex([rule({})]), registration.resourceServer?.scopes ?? [], (appId) => {
    asked.push(appId);
    return kindOf(appId);
  });
  const token = record();
  expect(holds.capOf(token)).toBeUndefined();
  const [caps] = await Promise.all([
    holds.capsOf([token, null, record({ appId: 'a9' }), token]),
    holds.capsOf([token]),
  ]);
  expect(caps.map((cap) => cap && isBeyond(cap, token))).toEqual([true, null, true, true]);
  expect(holds.capOf(token)).toBe(caps[0]);
  await holds.capsOf([token]);
  expect(asked).toEqual(['a1', 'a9']);
});

test('of what kind an app is, is asked anew where that failed', async () => {
  let isAway = true;
  const holds = new Holds(new RuleIndex([rule({})]), registration.resourceServer?.scopes ?? [], async (appId) => {
    if (isAway) throw new StoreUnavailable();
    return kindOf(appId);
  });
  await expect(holds.capsOf([record()])).rejects.toThrow(StoreUnavailable);
  isAway = false;
  expect(await holds.capsOf([record()])).toEqual([expect.anything()]);
});

const orAny = <Value>(...values: readonly Value[]) => fc.option(fc.subarray([...values]));
const someRule: fc.Arbitrary<Rule> = fc
  .record({
    match: fc.record({
      clientType: orAny('web' as const, 'service' as const),
      hostingType: orAny('first_party' as const),
      usage: orAny('test' as const, 'batch' as const),
      audience: orAny('s1', 's2'),
      environment: orAny('production', 'staging'),
    }),
    limits: fc.record({
      scopes: orAny('read', 'write'),
      sensitivityMax: fc.option(fc.constantFrom('low' as const, 'normal' as const)),
      ttlMax: fc.option(fc.integer({ min: 1, max: 3 })),
      methods: orAny('reference' as const, 'signed' as const),
      confirmations: fc.option(fc.subarray(['certificate', 'key'] as const, { minLength: 1 })),
    }),
  })
  .map(({ match, limits }) => rule(match, limits));
const someToken = fc
  .record({
    audience: fc.constantFrom('s1', 's2'),
    usage: fc.constantFrom('test' as const, 'batch' as const),
    scopes: fc.subarray(['read', 'write'], { minLength: 1 }),
    expiresAt: fc.integer({ min: 1, max: 4_000 }),
    confirmation: fc.constantFrom(null, '{"jkt":"k"}'),
    lineage: fc.array(
      fc.constantFrom('s1', 's2').map((audience) => ancestor({ audience })),
      { maxLength: 2 },
    ),
  })
  .map((over) => record(over));

test('one rule more never honours a token that was refused; and it is refused by all of them if by any', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(someRule, { maxLength: 6 }), someRule, someToken, async (some, one, token) => {
      const [before, after] = [await refuses(some, token), await refuses([...some, one], token)];
      if (before) expect(after).toBe(true);
      const alone = await Promise.all([...some, one].map((each) => refuses([each], token)));
      if (alone.includes(true)) expect(after).toBe(true);
    }),
    { numRuns: 300 },
  );
});
