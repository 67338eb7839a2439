import { ClientType, HostingType, type IssueTokenResponse } from '@touchstone/contracts';
import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, unique } from '../harness/world.ts';
import { openAdmin, untilAllFollow, untilPublished } from './admin.ts';
import { backUpData, putBackData } from './backup.ts';
import { atLeast, type Calls, callsOf, full, staleBy } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, metric, untilAllReady } from './services.ts';
import { until } from './until.ts';

const hasKafka = await ownKafka('restored-database, as far as Kafka goes,');
const replaced = 'touchstone_histories_replaced_total';

let own: OwnStack;
let calls: Calls;
let services: ServiceProcess[];

async function backUp(): Promise<void> {
  await own.postgres.stop();
  await backUpData(own.postgres);
  await own.restartPostgres();
  await untilAllReady(services);
}

/** Until every service knows the latest revision, and the topic has it, where there is one. */
async function allFollow(): Promise<void> {
  await using admin = await openAdmin(own);
  await untilAllFollow(admin);
  await allPublished();
}

async function allPublished(): Promise<void> {
  if (own.stack.kafka) await untilPublished(own);
}

async function restore(): Promise<void> {
  await own.postgres.stop();
  await putBackData(own.postgres);
  await own.restartPostgres();
}

/** A token that is revoked, as of the revision that says so. */
async function issueAndRevoke(): Promise<IssueTokenResponse> {
  const issued = await calls.issue();
  const { revision } = await calls.revoke(issued.token);
  return { ...issued, revision };
}

/** What the validator says of each. */
const say = (tokens: readonly IssueTokenResponse[], freshness = full): Promise<boolean[]> =>
  Promise.all(tokens.map(async ({ token }) => (await calls.validate(token, freshness)).active));

/** The same of one that may say first that it can not tell. */
const sayOnceAble = (...tokens: readonly IssueTokenResponse[]): Promise<boolean[]> =>
  Promise.all(
    tokens.map(({ token }) =>
      until('the validator can tell', async () => {
        const outcome = await outcomeOf(calls.validate(token));
        if (outcome.ok) return outcome.answer.active;
        expect(outcome).toMatchObject({ code: 'Unavailable' });
        return undefined;
      }),
    ),
  );

const cases = [
  ['behind what the validators know', 1],
  ['as far as what they know', 3],
  ['further than what they know', 5],
] as const;

const kafkas = [
  ['without Kafka', null],
  ...(hasKafka ? [['with Kafka, whose topic goes on holding what was lost', 'local'] as const] : []),
] as const;

describe.each(kafkas)('%s', (_, kafka) => {
  beforeAll(async () => {
    own = await openOwnStack({ kafka });
    calls = callsOf(own.stack, own.world);
    services = allServices(own.stack);
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  describe.each(cases)('a database that was put back to an older state and has gone on, %s', (_, goneOn) => {
    test('is noticed, and its history is the one that answers are given by', async () => {
      const [kept, revokedBefore] = [await calls.issue(), await issueAndRevoke()];
      await backUp();
      const before = await Promise.all(services.map((service) => metric(service, replaced)));
      const lost = await calls.issue();
      // Three revisions that will be lost.
      await calls.revoke(kept.token);
      const lostToo = [await issueAndRevoke(), await issueAndRevoke()];
      const earlier = [kept, revokedBefore, lost, ...lostToo];
      for (const mode of [full, staleBy(60)])
        expect(await say(earlier, mode)).toEqual([false, false, true, false, false]);

      await allFollow();
      // The validator sees nothing of it until the new history is where it is to be met.
      const { validator } = own.stack.services;
      validator.signal('SIGSTOP');
      let anew: IssueTokenResponse[];
      try {
        await restore();
        await untilAllReady(services.filter((service) => service !== validator));
        anew = [await calls.issue()];
        for (let i = 0; i < goneOn; i++) anew.push(await issueAndRevoke());
        await allPublished();
      } finally {
        validator.signal('SIGCONT');
      }
      await validator.untilReady();

      expect(await sayOnceAble(...earlier)).toEqual([true, false, false, false, false]);
      expect(await sayOnceAble(...anew)).toEqual(anew.map((_, i) => i === 0));
      // Each looks at least every second.
      const noticed = async () => {
        const after = await Promise.all(services.map((service) => metric(service, replaced)));
        return after.map((count, i) => count - (before[i] ?? 0));
      };
      await expect.poll(noticed, { timeout: 5_000 }).toEqual([1, 1, 1]);
      // What was remembered is of the history that is no more.
      for (const mode of [staleBy(60), atLeast(anew.at(-1)?.revision ?? '')]) {
        expect(await say(earlier, mode)).toEqual([true, false, false, false, false]);
        expect(await say(anew, mode)).toEqual(anew.map((_, i) => i === 0));
      }
      expect(await outcomeOf(calls.validate(kept.token, atLeast(lostToo[1]?.revision ?? '')))).toMatchObject({
        ok: false,
        reason: 'REVISION_UNKNOWN',
      });
      expect(dead(services)).toEqual([]);
      // And it goes on from there as ever.
      expect(await say([await calls.issue(), await issueAndRevoke()])).toEqual([true, false]);
    });
  });

  test('a credential that was made in the lost time is not honoured any more, also by those that knew it', async () => {
    await backUp();
    const { operator, audience } = own.world;
    const { credential } = await operator.registry.issueCredential({
      principal: { case: 'resourceServer', value: { audience } },
      scopes: ['tokens:validate'],
      ttl: { seconds: 3_600n },
    });
    const { validator } = clientsOf(shared(own.stack), credential);
    const ask = () =>
      outcomeOf(validator.validateToken({ token: 'tks_rubbish', audience, requiredScopes: ['orders:read'] }));
    expect(await ask()).toMatchObject({ ok: true });
    await restore();
    await untilAllReady(services);
    // Callers are judged on what was true a second ago; a machine that is busy takes longer to get there.
    await expect.poll(ask, { timeout: 20_000 }).toMatchObject({ ok: false, code: 'Unauthenticated' });
  });

  test('an app that was registered in the lost time gets no token any more, also from an issuer that knew it', async () => {
    await backUp();
    const appId = await own.world.addApp();
    expect(await outcomeOf(calls.issue({ appId }))).toMatchObject({ ok: true });
    await restore();
    await untilAllReady(services);
    // The tenant's registry comes to the same version again, with other content.
    const second = await own.stack.startAnother('issuer', await freePair());
    await second.untilReady();
    const { registry } = clientsOf({ ...shared(own.stack), issuer: second.grpc }, own.world.operator.credential);
    const { tenantId, audience } = own.world;
    const grants = [{ audience, scopes: ['orders:read'] }];
    const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
    await registry.createApp({ app: { appId: unique('app'), tenantId, grants, ...kind } });
    expect(await outcomeOf(calls.issue({ appId }))).toMatchObject({ ok: false, code: 'NotFound' });
  });
});
