import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRelayLock, numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { carriesOut, holdUpAt } from './relay-lead.ts';
import { differingRevisions, gaps, openTopics, overtakings, type Topics } from './topics.ts';
import { broken, startTraffic, type TrafficReport } from './traffic.ts';
import { until, untilTrue } from './until.ts';

const suspends = process.platform === 'linux' && (await ownKafka('two-relays'));

describe.skipIf(!suspends)('with Kafka: a relay that was suspended wakes up while another one leads', () => {
  /** A relay that sleeps too long has given up on what it was sent, and sends nothing again. */
  const [repeatsMin, roundsMax] = [2, 12];
  const resources = new AsyncDisposableStack();
  let own: OwnStack;
  let admin: Awaited<ReturnType<typeof openAdmin>>;
  let topics: Topics;
  const reports: TrafficReport[] = [];

  /** What the one that was suspended had in hand comes after what the other one had sent. */
  const repeats = () =>
    topics.revisions.filter(({ revision }, i) => revision < (topics.revisions[i - 1]?.revision ?? 0));
  const published = () => numberOf(admin, 'select revision from relay_position');
  /** The connection that whoever leads holds its lock on. */
  const leadersBackend = (other = 0) =>
    until('one leads', async () => {
      const { rows } = await admin.query<{ pid: number }>(`select pid from pg_locks where ${isRelayLock}`);
      return rows.find(({ pid }) => pid !== other)?.pid;
    });

  /** Suspends the leader when what it has asked for, the next revisions, has been sent to it and is not read yet. */
  async function suspendWithRevisionsInHand(leader: ServiceProcess, report: TrafficReport): Promise<void> {
    const text = 'r.revision > (select revision from relay_position)';
    await using inTheWay = await holdUpAt(own, 'access exclusive', text);
    const { length } = report.revoked;
    await untilTrue('there is something to read', () => report.revoked.length > length + 10);
    leader.signal('SIGSTOP');
    await inTheWay.query('rollback');
    // It must come before the loss of the lock does.
    const reading = `select count(*) from pg_stat_activity where ${carriesOut(text)}`;
    await untilTrue('the database has answered', async () => (await numberOf(admin, reading)) === 0);
  }

  beforeAll(async () => {
    own = resources.use(await openOwnStack({ kafka: 'local' }));
    admin = resources.use(await openAdmin(own));
    topics = resources.use(await openTopics(own.stack.kafkaBrokers));
    const { stack, world } = own;
    let leading = stack.services.revocation;
    let next = await stack.startAnother('revocation', await freePair());
    await next.untilReady();
    while (repeats().length < repeatsMin && reports.length < roundsMax) {
      const traffic = startTraffic(callsOf(stack, world, { at: { revocation: next.grpc } }));
      await untilTrue('some were revoked', () => traffic.report.revoked.length > 20);
      await suspendWithRevisionsInHand(leading, traffic.report);
      const backend = await leadersBackend();
      await admin.query('select pg_terminate_backend($1)', [backend]);
      await leadersBackend(backend);
      const before = await published();
      await untilTrue('the other one publishes', async () => (await published()) > before + 3);
      leading.signal('SIGCONT');
      const { length } = traffic.report.revoked;
      await untilTrue('both are awake', () => traffic.report.revoked.length > length + 50);
      reports.push(await traffic.stop());
      [leading, next] = [next, leading];
    }
  });
  afterAll(() => resources.disposeAsync());

  test('no answer was wrong, nothing failed, and what was promised holds', async () => {
    for (const { wrong, failures } of reports) expect({ wrong, failures }).toEqual({ wrong: [], failures: [] });
    const calls = callsOf(own.stack, own.world);
    for (const report of reports) expect(await broken(calls, report)).toEqual([]);
  });

  test('every revision is on the topic as it is in the database, in order for who skips repeats', async () => {
    expect(await differingRevisions(admin, topics)).toEqual([]);
    expect(overtakings(topics)).toEqual([]);
    expect(repeats().length).toBeGreaterThanOrEqual(repeatsMin);
  });

  test('every event is on the trail, and no writer has a gap', async () => {
    const written = await numberOf(admin, 'select count(*) from outbox');
    await untilTrue('all are there', () => new Set(topics.audit.map(({ event }) => event.eventId)).size === written);
    expect(gaps(topics)).toEqual([]);
  });
});
