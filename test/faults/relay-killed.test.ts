import { freePair } from '@touchstone/local-stack';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { holdUpAt, type Lead, leadOf } from './relay-lead.ts';
import { gaps, issuedOnTrail, openTopics, overtakings, revokedOnTrail, type Topics } from './topics.ts';
import { broken, startTraffic, type TrafficReport } from './traffic.ts';
import { until, untilTrue } from './until.ts';

const isPossible = process.platform === 'linux' && (await ownKafka('relay-killed'));

describe.skipIf(!isPossible)('with Kafka: the relay is killed with -9 in mid-stream', () => {
  const rounds = 2;
  let own: OwnStack;
  let topics: Topics;
  const reports: TrafficReport[] = [];

  /** Kills the leader once it has published revisions, which it can not mark. */
  async function killWithRevisionsInHand(admin: pg.Client, { service, backend }: Lead): Promise<void> {
    await using inTheWay = await holdUpAt(own, 'share', 'update relay_position set revision');
    await service.kill();
    // While the lock of the leader is held they would still be marked.
    const holding = 'select count(*) from pg_stat_activity where pid = $1';
    await untilTrue('its lock is gone', async () => (await numberOf(admin, holding, [backend])) === 0);
    await inTheWay.query('rollback');
  }

  beforeAll(async () => {
    own = await openOwnStack({ kafka: 'local' });
    await using admin = await openAdmin(own);
    const { stack, world } = own;
    const trafficAt = ({ grpc }: Lead['service']) => startTraffic(callsOf(stack, world, { at: { revocation: grpc } }));
    // Both replicas of the service serve; the one that leads is killed, then the one that took over.
    let before = stack.services.revocation;
    for (let round = 0; round < rounds; round++) {
      const added = await stack.startAnother('revocation', await freePair());
      await added.untilReady();
      const lead = await until('one leads', () => leadOf(admin, [before, added]));
      const other = lead.service === before ? added : before;
      const [dying, staying] = [trafficAt(lead.service), trafficAt(other)];
      await untilTrue('both revoke', () => [dying, staying].every(({ report }) => report.revoked.length > 40));
      await killWithRevisionsInHand(admin, lead);
      reports.push(await dying.stop());
      const { length } = staying.report.revoked;
      await untilTrue('the other goes on', () => staying.report.revoked.length > length + 40);
      reports.push(await staying.stop());
      before = other;
    }
    topics = await openTopics(stack.kafkaBrokers);
  });
  afterAll(async () => {
    await topics?.[Symbol.asyncDispose]();
    await own?.[Symbol.asyncDispose]();
  });

  test('no answer was wrong, and what was promised holds', async () => {
    const calls = callsOf(own.stack, own.world);
    for (const report of reports) {
      expect(report.wrong).toEqual([]);
      expect(await broken(calls, report)).toEqual([]);
    }
  });

  test('every revision is on the topic, in order', async () => {
    await using admin = await openAdmin(own);
    const head = await numberOf(admin, 'select revision from history');
    await untilTrue('the last one is there', () => topics.revisions.some(({ revision }) => revision === head));
    expect(overtakings(topics)).toEqual([]);
    const { rows } = await admin.query('select hash from revision order by revision');
    const hashes = new Map(topics.revisions.map(({ revision, hash }) => [revision, hash]));
    expect([...hashes].sort(([a], [b]) => a - b).map(([, hash]) => hash)).toEqual(rows.map(({ hash }) => hash));
    // What each had in hand came again.
    expect(topics.revisions.length).toBeGreaterThanOrEqual(hashes.size + rounds);
  });

  test('every issued token and every revocation is on the trail, and no writer has a gap', async () => {
    await using admin = await openAdmin(own);
    const written = await numberOf(admin, 'select count(*) from outbox');
    await untilTrue(
      'all events are there',
      () => new Set(topics.audit.map(({ event }) => event.eventId)).size === written,
    );
    const issued = reports.flatMap(({ live, revoked }) => [...live, ...revoked]);
    const onTrail = issuedOnTrail(topics);
    expect(issued.filter(({ tokenId }) => !onTrail.has(tokenId))).toEqual([]);
    const { rows } = await admin.query<{ revocation_id: string }>('select revocation_id from revocation');
    expect(rows.length).toBeGreaterThanOrEqual(reports.flatMap(({ revoked }) => revoked).length);
    expect(revokedOnTrail(topics)).toEqual(new Set(rows.map((row) => row.revocation_id)));
    expect(gaps(topics)).toEqual([]);
  });
});
