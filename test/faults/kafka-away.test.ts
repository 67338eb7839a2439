import { RevocationState } from '@touchstone/contracts';
import { freePorts, type LocalKafka, openTemporaryFolder, startKafka } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { type Calls, callsOf, staleBy } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, readiness } from './services.ts';
import { signalTree } from './suspend.ts';
import { gaps, issuedOnTrail, openTopics, overtakings } from './topics.ts';
import { broken, inEveryMode, startTraffic } from './traffic.ts';
import { untilPassed, untilTrue } from './until.ts';

describe.skipIf(!(await ownKafka('kafka-away')))('with Kafka, while it is away', () => {
  let own: OwnStack;
  let calls: Calls;
  let kafka: LocalKafka | null = null;
  let start: () => Promise<LocalKafka>;
  const cleanup = new AsyncDisposableStack();
  const issued: string[] = [];
  /** The id of a revocation that was made without the broker. */
  let unpublished: string;

  beforeAll(async () => {
    const { path } = cleanup.use(await openTemporaryFolder());
    const [port, controllerPort] = (await freePorts()).kafka;
    start = () => startKafka({ dataDir: `${path}/kafka`, port, controllerPort });
    cleanup.defer(() => kafka?.stop());
    // The services start without it.
    own = cleanup.use(await openOwnStack({ kafka: [`127.0.0.1:${port}`] }));
    calls = callsOf(own.stack, own.world);
  });
  afterAll(() => cleanup[Symbol.asyncDispose]());

  /** Nothing fails and nothing is answered wrongly, however long it goes on. */
  async function goOn(until: () => boolean | Promise<boolean> = () => true): Promise<void> {
    const traffic = startTraffic(inEveryMode(calls), 4);
    await untilTrue('some were revoked', () => traffic.report.revoked.length > 50);
    await untilTrue('what is waited for', until);
    const report = await traffic.stop();
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(await broken(calls, report)).toEqual([]);
    await untilPassed(1_000);
    expect(await broken(calls, report, staleBy(1))).toEqual([]);
    issued.push(...[...report.live, ...report.revoked].map(({ tokenId }) => tokenId));
  }

  /** All that is in the database comes to the topics, in order and without a gap. */
  async function everythingArrives(): Promise<void> {
    await using admin = await openAdmin(own);
    const head = await numberOf(admin, 'select revision from history');
    const written = await numberOf(admin, 'select count(*) from outbox');
    const published = () => numberOf(admin, 'select revision from relay_position');
    await untilTrue('the revisions are published', async () => (await published()) === head);
    await using topics = await openTopics(own.stack.kafkaBrokers);
    const eventsOn = () => new Set(topics.audit.map(({ event }) => event.eventId)).size;
    await untilTrue('the revisions arrive', () => topics.revisions.some(({ revision }) => revision === head));
    await untilTrue('the audit events arrive', () => eventsOn() === written);
    expect(overtakings(topics)).toEqual([]);
    expect(new Set(topics.revisions.map(({ hash }) => hash)).size).toBe(head);
    expect(gaps(topics)).toEqual([]);
    const onTrail = issuedOnTrail(topics);
    expect(issued.filter((tokenId) => !onTrail.has(tokenId))).toEqual([]);
  }

  const followed = async (revocationId: string) =>
    (await own.world.operator.revocation.getRevocation({ revocationId })).revocation;

  const allReady = async () => (await Promise.all(allServices(own.stack).map(readiness))).map(({ ready }) => ready);

  test('from the start, issuing, validating and revoking go on, and all are ready', async () => {
    await goOn();
    expect(await allReady()).toEqual([true, true, true]);
  });

  test('then it comes, and everything arrives', async () => {
    kafka = await start();
    await everythingArrives();
  });

  const canSuspend = process.platform === 'linux';
  test.skipIf(!canSuspend)(
    'suspended, so that it takes connections and answers nothing, nobody waits for it; then everything arrives',
    async () => {
      const { pid } = kafka as LocalKafka;
      await signalTree(pid, 'SIGSTOP');
      try {
        const suspendedAt = performance.now();
        // The relay waits for 10 s for what it has sent, and so does each of our calls.
        while (performance.now() - suspendedAt < 12_000) await goOn();
        expect(await allReady()).toEqual([true, true, true]);
        const { revocationId } = await calls.revoke((await calls.issue()).token);
        expect((await followed(revocationId))?.progress?.published).toBe(false);
      } finally {
        await signalTree(pid, 'SIGCONT');
      }
      await everythingArrives();
    },
  );

  test('killed with -9 under load, nothing fails, and a revocation is refused at once', async () => {
    await goOn(async () => {
      await kafka?.kill();
      return true;
    });
    await goOn();
    expect(dead(allServices(own.stack))).toEqual([]);
    expect(await allReady()).toEqual([true, true, true]);
  });

  test('while it is dead a revocation becomes complete, and is not published', async () => {
    unpublished = (await calls.revoke((await calls.issue()).token)).revocationId;
    await untilTrue('it is complete', async () => (await followed(unpublished))?.state === RevocationState.COMPLETE);
    expect((await followed(unpublished))?.progress).toMatchObject({ published: false, behind: [] });
  });

  test('then it is back, and everything arrives, also what was under way when it was killed', async () => {
    kafka = await start();
    await untilTrue('it is published', async () => (await followed(unpublished))?.progress?.published === true);
    await goOn();
    await everythingArrives();
  });
});
