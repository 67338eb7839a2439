import { expect, test } from 'vitest';
import type { Caller } from '../access/act.ts';
import {
  CallerNotAllowed,
  ClaimReserved,
  ClaimsTooLarge,
  ConsentUnknown,
  Disabled,
  Overloaded,
  RateExceeded,
  ScopeNotAllowed,
  StoreUnavailable,
  TokenNotHonoured,
} from '../errors.ts';
import type { App } from '../register/registration.ts';
import { Follower } from '../revisions/follower.ts';
import { actOf } from '../test-act.ts';
import { consentOf, TestConsents } from '../test-consents.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { methods } from '../test-method.ts';
import { ancestor, record } from '../test-record.ts';
import { handles, registration, TestRegistry } from '../test-registry.ts';
import { TestRevocations, TestTokens, TestTrail } from '../test-writers.ts';
import { idOf } from '../tokens/token-record.ts';
import { type IssueCommand, issueToken, requireAncestorsAlive } from './issue-token.ts';
import type { RateLimiter } from './ports.ts';

const command: IssueCommand = {
  tenantId: 't1',
  appId: 'a1',
  userId: 'ada',
  audience: 's1',
  scopes: ['read'],
  ttl: 60,
  method: 'reference',
  usage: 'test',
  claims: { name: 'Ada' },
  consentId: null,
  refreshable: false,
  confirmation: null,
  onExcess: 'refuse',
};
const identity: Partial<Caller> = { kind: 'identity_service', name: 'id', scopes: ['tokens:issue'] };
const app: Partial<Caller> = { kind: 'app', name: 'a1', scopes: ['tokens:issue:self'] };
const forItself: Partial<IssueCommand> = { userId: null, claims: {} };

const given = consentOf('con_1', 't1', { userHandle: 'handle of t1 ada', expiresAt: 100_000 });

async function open(prepare: (history: History) => void = () => {}) {
  const history = new History();
  history.write('eve', 1);
  prepare(history);
  const follower = await Follower.start(history, chain, new TestClock(), quiet);
  const [registry, tokens, audit] = [new TestRegistry(), new TestTokens(), new TestTrail()];
  const consents = new TestConsents([given]);
  const rates: RateLimiter = { take: async () => {} };
  const ports = {
    registry,
    consents,
    methods,
    handles,
    tokens,
    rates,
    revocations: new TestRevocations(),
    audit,
    follower,
  };
  const issue = (over: Partial<IssueCommand> = {}, caller = identity) =>
    issueToken(actOf(caller), { ...command, ...over }, ports);
  return { issue, registry, consents, tokens, rates, recorded: audit.recorded, history };
}

test("the record says what was granted, counted by the database's clock, and the event is of that record", async () => {
  const { issue, tokens, history, recorded } = await open();
  const { token, ...issued } = await issue({ scopes: ['read', 'write'] });
  const [stored] = tokens.inserted;
  expect(stored?.record).toMatchObject({
    tokenClass: 'token',
    tenantId: 't1',
    appId: 'a1',
    userHandle: 'handle of t1 ada',
    audience: 's1',
    scopes: ['read', 'write'],
    policyVersion: registration.version,
    lineage: [],
    sequence: 1,
    issuedAt: 1_000,
    expiresAt: 61_000,
  });
  expect(stored?.event.act).toMatchObject({ type: 'token_issued', record: stored?.record, credentialFor: '' });
  expect(stored && idOf(stored.record)).toBe(issued.tokenId);
  expect(issued).toMatchObject({ scopes: ['read', 'write'], expiresAt: 61_000, head: history.head });
  const found = methods.locate(token);
  expect(stored && found?.method.open(found.located, stored.record)).toMatchObject({
    userId: 'ada',
    claims: { name: 'Ada' },
    principal: null,
  });
  expect(recorded).toEqual([]);
});

test('an app gets a token for itself, with no user', async () => {
  const { issue, tokens } = await open();
  await issue(forItself, app);
  expect(tokens.inserted[0]?.record).toMatchObject({ appId: 'a1', userHandle: null });
});

test.each([
  ['a caller of another kind', {}, { kind: 'operator', scopes: ['tokens:issue'] }],
  ['an identity service of another tenant', {}, { ...identity, tenantIds: ['t2'] }],
  ['an identity service without the scope', {}, { ...identity, scopes: ['consents:write', 'tokens:issue:self'] }],
  ['an app without the scope', forItself, { ...app, scopes: ['tokens:issue'] }],
  ['an app for another app', { ...forItself, appId: 'a2' }, app],
  ['an app for a user', { claims: {} }, app],
  ['an app that makes claims', { userId: null }, app],
] satisfies [string, Partial<IssueCommand>, Partial<Caller>][])(
  "%s gets nothing, and it is on the trail of the caller's own tenant",
  async (_, over, caller) => {
    const { issue, tokens, recorded } = await open();
    await expect(issue(over, caller)).rejects.toThrow(CallerNotAllowed);
    expect(tokens.inserted).toEqual([]);
    const { tenantIds = ['t1'] } = caller as Partial<Caller>;
    expect(recorded).toMatchObject([
      { tenantId: tenantIds[0], act: { type: 'issue_refused', audience: 's1', reason: 'caller_not_allowed' } },
    ]);
  },
);

test.each([
  ['a claim that the token itself uses', { claims: { SUB: 'eve' } }, ClaimReserved],
  ['claims without end', { claims: { name: 'a'.repeat(5_000) } }, ClaimsTooLarge],
  ['a consent that nobody recorded', { consentId: 'c' }, ConsentUnknown],
  ['a scope that was not granted', { scopes: ['admin'] }, ScopeNotAllowed],
] satisfies [string, Partial<IssueCommand>, new (...args: never[]) => Error][])(
  '%s is refused, and on the record without what was asked for',
  async (_, over, failure) => {
    const { issue, tokens, recorded } = await open();
    await expect(issue(over)).rejects.toThrow(failure);
    expect(tokens.inserted).toEqual([]);
    expect(recorded).toHaveLength(1);
    expect(JSON.stringify(recorded)).not.toMatch(/ada|eve|aaa/i);
  },
);

test('nothing is refused on what is remembered: a grant that came since counts', async () => {
  const { issue, registry } = await open();
  registry.remembered = { ...registration, app: null };
  expect(await issue()).toMatchObject({ scopes: ['read'] });
  expect(registry.forgotten).toEqual(['t1']);
});

test('nothing is issued on what is remembered: a grant that is gone since does not count', async () => {
  const { issue, registry, tokens, recorded } = await open();
  registry.remembered = registration;
  registry.stored = { ...registration, disabled: new Set(['app'] as const), version: 8 };
  tokens.version = 8;
  await expect(issue()).rejects.toMatchObject({ code: 'disabled' });
  expect(tokens.inserted).toEqual([]);
  expect(recorded).toHaveLength(1);
});

test('nobody is refused by a limit that is remembered, and what is issued counts; of who was told of it nothing is looked up', async () => {
  const { issue, registry, rates, recorded } = await open();
  const limit = (tokensPerMinuteMax: number) => ({
    ...registration,
    app: { ...(registration.app as App), tokensPerMinuteMax },
  });
  registry.remembered = limit(1);
  registry.stored = limit(2);
  const taken: number[] = [];
  let isNews = true;
  rates.take = async ([{ tokensPerMinute = 0 } = {}]) => {
    taken.push(tokensPerMinute);
    if (tokensPerMinute === 1) throw new RateExceeded('app', 1, 1_000, isNews);
  };
  await issue();
  expect([taken, registry.forgotten]).toEqual([[1, 2], ['t1']]);
  [registry.remembered, isNews] = [limit(1), false];
  await expect(issue()).rejects.toThrow(RateExceeded);
  expect(registry.forgotten).toEqual(['t1']);
  expect(recorded).toHaveLength(1);
});

test.each([
  ['tenant', 't1'],
  ['app', 'a1'],
  ['resource_server', 's1'],
] as const)('what has been disabled stays so, though the registry says that it is not: %s', async (kind, key) => {
  const { issue, tokens } = await open((history) => history.write(key, 0, { kind, ceiling: null }));
  await expect(issue()).rejects.toThrow(Disabled);
  expect(tokens.inserted).toEqual([]);
});

test.each(['a1', 'app:a1', 'operator:eve'])('a user is not taken for the app or for a caller: %s', async (userId) => {
  const { issue, tokens } = await open();
  await expect(issue({ userId })).rejects.toMatchObject({ code: 'invalid_field', metadata: { field: 'user_id' } });
  expect(tokens.inserted).toEqual([]);
  await issue({ userId: `${userId}x`.replace(':', '-') });
});

test('a registry that never stands still ends in UNAVAILABLE, and nobody is told that the database is away', async () => {
  const { issue, tokens, recorded } = await open();
  tokens.version = 99;
  await expect(issue()).rejects.toThrow(Overloaded);
  expect(recorded).toEqual([]);
});

test.each([StoreUnavailable, Overloaded])('a failure of ours is no refusal: %o', async (Failure) => {
  const { issue, tokens, recorded } = await open();
  tokens.insert = () => Promise.reject(new Failure());
  await expect(issue()).rejects.toThrow(Failure);
  expect(recorded).toEqual([]);
});

test('nothing is made out of what has ended since it was looked up: of an erased user nothing would delete it', async () => {
  const history = new History();
  history.write('u1', 1);
  const follower = await Follower.start(history, chain, new TestClock(), quiet);
  const derivedFrom = (sequence: number) => record({ sequence: 9, lineage: [ancestor({ sequence })] });
  expect(() => requireAncestorsAlive(derivedFrom(1), follower)).toThrow(TokenNotHonoured);
  expect(() => requireAncestorsAlive(derivedFrom(2), follower)).not.toThrow();
});
