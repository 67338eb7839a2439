import { parseRevision } from '@touchstone/core';
import {
  freePair,
  freePorts,
  type LocalKafka,
  openTemporaryFolder,
  type ServiceName,
  type ServiceProcess,
  startKafka,
} from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, unique } from '../harness/world.ts';
import { isRelayLock, numberOf, openAdmin } from './admin.ts';
import { atLeast, type Freshness, full, staleBy } from './calls.ts';
import { type Changed, changedSince, leftBehind, nothing } from './left-behind.ts';
import { type Hold, holdCommit, holdLastWrite, untilNoneUnderWay } from './mid-revocation.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { type Plan, type Presented, type RevocationKind, revocationKinds } from './revocation-kinds.ts';
import { startAgain, untilAllReady } from './services.ts';
import { differingRevisions, gaps, openTopics, overtakings } from './topics.ts';
import { until, untilTrue } from './until.ts';

const hasKafka = await ownKafka('killed-mid-revocation, as far as Kafka goes,');
const resources = new AsyncDisposableStack();
let own: OwnStack;
let services: Record<ServiceName, ServiceProcess>;
let kafka: LocalKafka;
let startBroker: () => Promise<LocalKafka>;

beforeAll(async () => {
  const { path } = resources.use(await openTemporaryFolder());
  const [port, controllerPort] = (await freePorts()).kafka;
  startBroker = () => startKafka({ dataDir: `${path}/kafka`, port, controllerPort });
  resources.defer(() => kafka?.stop());
  if (hasKafka) kafka = await startBroker();
  own = resources.use(await openOwnStack({ kafka: hasKafka ? kafka.brokers : null }));
  services = { ...own.stack.services };
});
afterAll(() => resources.disposeAsync());

/** Whether a validator honours a token, once it answers; a resource server that is itself refused honours none. */
function honours(
  { token, audience, credential }: Presented,
  { grpc }: Pick<ServiceProcess, 'grpc'> = services.validator,
  requirement: Freshness = full,
): Promise<boolean> {
  const { validator } = clientsOf({ ...shared(own.stack), validator: grpc }, credential);
  const request = { token, audience, requiredScopes: ['orders:read'], consistency: { requirement } };
  return until('the validator answers', async () => {
    const outcome = await outcomeOf(validator.validateToken(request, { timeoutMs: 10_000 }));
    if (outcome.ok) return outcome.answer.active;
    if (outcome.code === 'Unauthenticated') return false;
    if (outcome.code !== 'Unavailable') throw new Error(`${outcome.code}: ${outcome.message}`);
    return undefined;
  });
}

/** A new token of the world's for a user. */
async function issueFor(userId: string, over: object = {}): Promise<Presented> {
  const { audience, resourceServer, issue } = own.world;
  const { token } = await issue({ userId, ...over });
  return { token, audience, credential: resourceServer.credential };
}

/** The same, once there is one. */
const issueAnother = (): Promise<Presented> =>
  until('a token is issued', async () => {
    const outcome = await outcomeOf(issueFor('ada'));
    return outcome.ok ? outcome.answer : undefined;
  });

async function untilRelayLeads(): Promise<void> {
  await using admin = await openAdmin(own);
  const leaders = `select count(*) from pg_locks where ${isRelayLock}`;
  await untilTrue('the relay leads', async () => (await numberOf(admin, leaders)) === 1);
}

/**
 * Kills in the middle of a revocation, and looks at what there is of it, then at what a repetition makes of that.
 * @param left what there is of it before the repetition.
 */
async function killInTheMiddle(
  { plan: planned, whole }: RevocationKind,
  hold: (own: OwnStack) => Promise<Hold>,
  kill: () => Promise<() => Promise<void>>,
  failed: RegExp,
  left: Changed,
): Promise<void> {
  const plan = await planned(own);
  const look = async () => {
    await using admin = await openAdmin(own);
    return await leftBehind(admin, plan.reason);
  };
  const before = await look();
  let call: Promise<Outcome<unknown>>;
  let startAgainWhatWasKilled: () => Promise<void>;
  {
    await using held = await hold(own);
    call = outcomeOf(plan.revoke());
    await held.untilHeld();
    startAgainWhatWasKilled = await kill();
  }
  const outcome = await call;
  expect(outcome.ok ? 'returned' : outcome.code).toMatch(failed);
  await startAgainWhatWasKilled();
  await untilNoneUnderWay(own);

  expect(changedSince(before, await look())).toEqual(left);
  expect(await honours(plan.meant)).toBe(left === nothing);
  if (plan.spared) expect(await honours(plan.spared)).toBe(true);

  const { revision } = await until('the repetition returns', async () => {
    const outcome = await outcomeOf(plan.revoke());
    return outcome.ok ? outcome.answer : undefined;
  });
  expect(parseRevision(revision)?.revision).toBe(before.head + 1);
  expect(await honours(plan.meant)).toBe(false);
  expect(await honours(await issueAnother())).toBe(true);
  if (plan.spared) expect(await honours(plan.spared)).toBe(true);
  expect(changedSince(before, await look())).toEqual(whole);
}

async function killService(name: ServiceName): Promise<() => Promise<void>> {
  const { [name]: service } = services;
  if (hasKafka && name === 'revocation') await untilRelayLeads();
  await service.kill();
  return async () => {
    services[name] = await startAgain(own.stack, service);
  };
}

async function killPostgres(): Promise<() => Promise<void>> {
  await own.postgres.kill();
  return async () => {
    await own.restartPostgres();
    await untilAllReady(Object.values(services));
  };
}

/** The server must be there to be told that commits wait no more; until then no service is ready. */
async function killAndStartPostgres(): Promise<() => Promise<void>> {
  await own.postgres.kill();
  await own.restartPostgres();
  return () => untilAllReady(Object.values(services));
}

const within = { timeoutMs: 10_000 };
/** What a client makes of a connection that broke off. */
const brokenOff = /^(Unavailable|Canceled|Aborted)$/;
const named = revocationKinds.map((kind) => [kind.name, kind] as const);

describe('a revocation happens wholly or not at all, and is in force once it is repeated', () => {
  // A commit is sent once the last write has been answered.
  test.each(named)('where its service is killed before the last write: %s', async (_, kind) => {
    await killInTheMiddle(kind, holdLastWrite, () => killService(kind.by), brokenOff, nothing);
  });

  test.each(named)('where its service is killed while it commits: %s', async (_, kind) => {
    await killInTheMiddle(kind, holdCommit, () => killService(kind.by), brokenOff, kind.whole);
  });

  test.each(named)('where Postgres is killed before the last write: %s', async (_, kind) => {
    await killInTheMiddle(kind, holdLastWrite, killPostgres, /^Unavailable$/, nothing);
  });

  // What waits for a standby is on the disk.
  test.each(named)('where Postgres is killed while it commits: %s', async (_, kind) => {
    await killInTheMiddle(kind, holdCommit, killAndStartPostgres, /^Unavailable$/, kind.whole);
  });
});

describe('EraseUser, killed between its revisions, is completed by its repetition', () => {
  const kills = [
    ['its service', () => killService('revocation')],
    ['Postgres', killAndStartPostgres],
  ] as const;
  test.each(kills)('where %s is killed', async (_, kill) => {
    const { tenantId, consent, operator } = own.world;
    const [userId, otherId] = [unique('user'), unique('user')];
    const consentIds = [await consent({ userId }), await consent({ userId })];
    const underConsents = await Promise.all(consentIds.map((consentId) => issueFor(userId, { consentId })));
    const otherConsent = { consentId: await consent({ userId: otherId }) };
    const others = [await issueFor(otherId), await issueFor(otherId, otherConsent)];
    const withoutConsent = await issueFor(userId);
    const erase = () => outcomeOf(operator.revocation.eraseUser({ tenantId, userId, reason: 'asked for' }, within));
    const areHonoured = (tokens: readonly Presented[]) => Promise.all(tokens.map((token) => honours(token)));

    let call: ReturnType<typeof erase>;
    let startAgainWhatWasKilled: () => Promise<void>;
    {
      // The consents come first.
      await using held = await holdCommit(own);
      call = erase();
      await held.untilHeld();
      startAgainWhatWasKilled = await kill();
    }
    expect((await call).ok).toBe(false);
    await startAgainWhatWasKilled();
    await untilNoneUnderWay(own);
    expect(await areHonoured(underConsents)).toEqual([false, false]);
    expect(await honours(withoutConsent)).toBe(true);

    const { erasureId } = await until('the repetition returns', async () => {
      const outcome = await erase();
      return outcome.ok ? outcome.answer : undefined;
    });
    expect(await areHonoured([...underConsents, withoutConsent])).toEqual([false, false, false]);
    for (const consentId of consentIds)
      expect(await outcomeOf(own.world.issue({ userId, consentId }))).toMatchObject({ reason: 'CONSENT_ENDED' });
    await using admin = await openAdmin(own);
    // Nobody need wait for those that were being issued meanwhile.
    await admin.query(`update erasure set requested_at = requested_at - interval '1 minute'`);
    const isErased = async () => (await operator.revocation.getErasure({ erasureId })).erasedAt !== undefined;
    await untilTrue('the rows are gone', isErased);
    expect(await areHonoured([...underConsents, withoutConsent])).toEqual([false, false, false]);
    expect(await areHonoured([...others, await issueFor(otherId, otherConsent)])).toEqual([true, true, true]);
  });
});

/** What was revoked, from when on, and what is like it and was not. */
type Revoked = Pick<Plan, 'meant' | 'spared'> & { readonly revision: string };

const isOfAll = ({ name }: RevocationKind): boolean => name === 'RevokeTokens of all';
/** What revokes everything would hide what the others do: it has its turn alone. */
const everything = revocationKinds.filter(isOfAll);
const others = revocationKinds.filter((kind) => !isOfAll(kind));

describe.each([
  ['with all kinds under way at once', others],
  ['where it is of everything', everything],
])('every revocation returns, and is in force, %s', (_, kinds) => {
  let second: ServiceProcess;
  beforeAll(async () => {
    second = await own.stack.startAnother('validator', await freePair());
    await second.untilReady();
  });

  /** Gives what was revoked, which both validators had remembered, from when on, and what was like it. */
  async function killMeanwhile(kill: () => Promise<void>, made = kinds): Promise<readonly Revoked[]> {
    const plans: Plan[] = [];
    for (const { plan } of made) plans.push(await plan(own));
    for (const { meant } of plans) {
      for (const validator of [services.validator, second]) {
        expect(await honours(meant, validator, staleBy(60))).toBe(true);
      }
    }
    let calls: Promise<{ readonly revision: string }[]>;
    {
      await using held = await holdLastWrite(own);
      calls = Promise.all(plans.map(({ revoke }) => revoke()));
      calls.catch(() => {}); // Awaited below.
      await held.untilHeld();
      await kill();
    }
    const revoked = await calls;
    return plans.map(({ meant, spared }, i) => ({ meant, spared, revision: revoked[i]?.revision ?? '' }));
  }

  async function refuses(
    validator: ServiceProcess,
    revoked: readonly Revoked[],
    ...more: readonly Freshness[]
  ): Promise<void> {
    for (const { meant, spared, revision } of revoked) {
      const answers = [full, atLeast(revision), ...more].map((freshness) => honours(meant, validator, freshness));
      expect(new Set(await Promise.all(answers))).toEqual(new Set([false]));
      if (spared) expect(await honours(spared, validator)).toBe(true);
    }
    expect(await honours(await issueAnother(), validator)).toBe(true);
  }

  /** Nothing newer is asked for, for that they would look up: they have to hear of it. */
  async function comesToRefuse(validator: ServiceProcess, revoked: readonly Revoked[]): Promise<void> {
    for (const { meant } of revoked) {
      await untilTrue('what was remembered is refused', async () => !(await honours(meant, validator, staleBy(60))));
    }
  }

  async function bothComeToRefuse(revoked: readonly Revoked[]): Promise<void> {
    for (const validator of [services.validator, second]) await comesToRefuse(validator, revoked);
  }

  test('where a validator is killed; it refuses when it is back, and so does another that had remembered', async () => {
    const revoked = await killMeanwhile(() => services.validator.kill());
    await comesToRefuse(second, revoked);
    await refuses(second, revoked, staleBy(60));
    services.validator = await startAgain(own.stack, services.validator);
    await refuses(services.validator, revoked, staleBy(60));
  });

  const byOthers = kinds.filter(({ by }) => by !== 'revocation');
  const named = 'where the relay is killed in the midst of what others revoke; all validators refuse without it';
  test.skipIf(byOthers.length === 0)(named, async () => {
    if (hasKafka) await untilRelayLeads();
    const revoked = await killMeanwhile(() => services.revocation.kill(), byOthers);
    await bothComeToRefuse(revoked);
    services.revocation = await startAgain(own.stack, services.revocation);
    await refuses(services.validator, revoked);
    await refuses(second, revoked);
  });

  test.skipIf(!hasKafka)("where Kafka's broker is killed; all validators refuse without it", async () => {
    const revoked = await killMeanwhile(() => kafka.kill());
    await bothComeToRefuse(revoked);
    await refuses(services.validator, revoked);
    await refuses(second, revoked);
  });
});

test.skipIf(!hasKafka)('with Kafka back, all that was done is on the topics, in order', async () => {
  kafka = await startBroker();
  await using admin = await openAdmin(own);
  await using topics = await openTopics(own.stack.kafkaBrokers);
  expect(await differingRevisions(admin, topics)).toEqual([]);
  expect(overtakings(topics)).toEqual([]);
  const written = await numberOf(admin, 'select count(*) from outbox');
  const told = () => new Set(topics.audit.map(({ event }) => event.eventId)).size;
  await untilTrue('the audit events arrive', () => told() === written);
  expect(gaps(topics)).toEqual([]);
});
