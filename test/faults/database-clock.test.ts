import { type IssueTokenResponse, RevocationState } from '@touchstone/contracts';
import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '../e2e/support-outcome.ts';
import { type DatabaseClock, openDatabaseClock } from '../harness/database-clock.ts';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, longLife, openWorld, scopes, type World } from '../harness/world.ts';
import { numberOf, openAdmin } from './admin.ts';
import { atLeast, type Calls, callsOf, type Freshness, full, staleBy } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { askedOnWaking, suspendedMilliseconds } from './suspend.ts';
import { broken, inEveryMode, requireRefused, startTraffic } from './traffic.ts';
import { until, untilPassed, untilTrue } from './until.ts';

const hour = 3_600_000;
const fenceMilliseconds = 6_000;
let own: OwnStack;
let world: World;
let calls: Calls;
let clock: DatabaseClock;
beforeAll(async () => {
  own = await openOwnStack({ environment: { FENCE_MILLISECONDS: String(fenceMilliseconds) } });
  clock = await openDatabaseClock(own.stack.postgres.adminUrl);
  world = await until('the services have connected again', () =>
    openWorld(shared(own.stack), { tokenTtlMax: longLife }).catch(() => undefined),
  );
  calls = callsOf(own.stack, world);
});
afterAll(() => own?.[Symbol.asyncDispose]());
afterEach(() => clock.set(0));

test.each([
  ['ahead', hour],
  ['back', -hour],
])('while it jumps an hour %s and is put right, no call fails and no answer is wrong, in any mode', async (_, by) => {
  const traffic = startTraffic(inEveryMode({ ...calls, issue: () => calls.issue({ ttl: longLife }) }));
  for (const set of [by, 0, by, 0]) {
    const { answered } = traffic.report;
    await untilTrue('it is answered', () => traffic.report.answered > answered + 200);
    await clock.set(set);
  }
  const report = await traffic.stop();
  expect(report.wrong).toEqual([]);
  expect(report.failures).toEqual([]);
  expect(await broken(calls, report)).toEqual([]);
  await untilPassed(1_000);
  expect(await broken(calls, report, staleBy(1))).toEqual([]);
});

test.each([
  ['ahead', hour],
  ['back', -hour],
])(
  'while it is an hour %s what is remembered and revoked is refused in every mode, once the time has passed',
  async (_, by) => {
    const issueAll = () => Promise.all(Array.from({ length: 10 }, () => calls.issue({ ttl: longLife })));
    const say = (tokens: readonly IssueTokenResponse[], freshness: Freshness) =>
      Promise.all(tokens.map(async ({ token }) => (await calls.validate(token, freshness)).active));
    const before = await issueAll();
    expect(await say(before, staleBy(1))).toEqual(before.map(() => true));
    await clock.set(by);
    const meanwhile = await issueAll();
    expect(await say(meanwhile, staleBy(1))).toEqual(meanwhile.map(() => true));
    const tokens = [...before, ...meanwhile];
    let revision = '';
    for (const { token } of tokens) ({ revision } = await calls.revoke(token));
    await untilPassed(1_000);
    // What is asked first is not known from the others.
    for (const mode of [staleBy(1), full, atLeast(revision)]) {
      expect(await say(tokens, mode)).toEqual(tokens.map(() => false));
    }
  },
);

test.each([
  ['ahead', hour],
  ['back', -hour],
])('while it is an hour %s a validator that was suspended answers nothing older than was asked for', async (_, by) => {
  await clock.set(by);
  const { token } = await calls.issue({ ttl: longLife });
  expect(await calls.validate(token, staleBy(1))).toMatchObject({ active: true });
  const { validator } = own.stack.services;
  validator.signal('SIGSTOP');
  await calls.revoke(token);
  await untilPassed(suspendedMilliseconds);
  requireRefused(await askedOnWaking(validator, own.postgres, () => calls.validate(token, staleBy(0.3))));
  await untilTrue('it answers', async () => (await outcomeOf(calls.validate(token))).ok);
  expect(await calls.validate(token, staleBy(0.3))).toMatchObject({ active: false });
});

test('a token that has expired by it is refused at once, and from the cache as soon as that has asked', async () => {
  const { token, revision } = await calls.issue();
  const modes = [full, staleBy(1), atLeast(revision)];
  const say = () => Promise.all(modes.map(async (freshness) => (await calls.validate(token, freshness)).active));
  expect(await say()).toEqual([true, true, true]);
  await clock.set(hour);
  expect(await calls.validate(token)).toMatchObject({ active: false });
  await untilTrue('none honours it', async () => !(await say()).includes(true), 10_000);
  for (let i = 0; i < 50; i++) expect(await say()).toEqual([false, false, false]);
});

test.each([
  ['without a grace', {}],
  ['with one', { grace: { seconds: 30n } }],
])('a refresh token that was used, %s, is found used again when it was set back meanwhile', async (_, grace) => {
  const appId = await world.addApp({ refresh: { ttlMax: { seconds: 2n * longLife.seconds }, ...grace } });
  const principal = { case: 'app', value: { appId } } as const;
  const { registry } = world.operator;
  const issued = await registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl: longLife });
  const { issuer } = clientsOf(shared(own.stack), issued.credential);
  const { refreshToken } = await world.issue({ appId, scopes, ttl: longLife, refreshable: true });
  const { token } = await issuer.refreshToken({ refreshToken, ttl: longLife });
  await clock.set(-hour);
  expect(await failureOf(issuer.refreshToken({ refreshToken, ttl: longLife }))).toMatchObject({
    reason: 'REFRESH_TOKEN_REUSED',
  });
  expect(await calls.validate(token)).toMatchObject({ active: false });
});

describe('with a validator that is gone', () => {
  let second: ServiceProcess;
  beforeEach(async () => {
    second = await own.stack.startAnother('validator', await freePair());
    await second.untilReady();
    await untilTrue('both are counted', async () => (await progressOf(await revokeUser()))?.validatorsLive === 2);
  });

  const revokeUser = async () =>
    (await calls.revokeTarget({ case: 'user', value: { tenantId: world.tenantId, userId: 'ada' } })).revocationId;
  const revocationOf = async (revocationId: string) =>
    (await world.operator.revocation.getRevocation({ revocationId })).revocation;
  const progressOf = async (revocationId: string) => (await revocationOf(revocationId))?.progress;
  const untilComplete = (revocationId: string) =>
    until('it is complete', async () => {
      const revocation = await revocationOf(revocationId);
      return revocation?.state === RevocationState.COMPLETE ? revocation : undefined;
    });

  test('a revocation is not complete before that one can answer nothing any more, although all seem gone', async () => {
    second.signal('SIGSTOP');
    await using admin = await openAdmin(own);
    const sinceBeat = 'select extract(epoch from now() - beat_at) * 1000 from census where address = $1';
    const already = await numberOf(admin, sinceBeat, [second.grpc]);
    const asked = performance.now();
    await clock.set(hour);
    await untilComplete(await revokeUser());
    expect(already + performance.now() - asked).toBeGreaterThan(fenceMilliseconds);
    await second.kill();
  });

  test('a revocation is complete a fence later, although that one seems to be there for an hour more', async () => {
    await second.kill();
    await clock.set(-hour);
    const { progress } = await untilComplete(await revokeUser());
    expect(progress?.validatorsLive).toBe(1);
    expect(progress?.unreachable.map(({ address }) => address)).toContain(second.grpc);
  });
});
