import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { gaps, issuedOnTrail, openTopics, overtakings, revokedOnTrail, type Topics } from './topics.ts';
import { broken, startTraffic, type TrafficReport } from './traffic.ts';
import { untilTrue } from './until.ts';

describe.skipIf(!(await ownKafka('relay-killed')))('with Kafka: the relay is killed with -9 in mid-stream', () => {
  let own: OwnStack;
  let topics: Topics;
  const reports: TrafficReport[] = [];

  beforeAll(async () => {
    own = await openOwnStack({ kafka: 'local' });
    const { stack, world } = own;
    // Both replicas of the service serve; the first one to be killed leads, then the one that took over.
    let leading = stack.services.revocation;
    for (let round = 0; round < 2; round++) {
      const next: ServiceProcess = await stack.startAnother('revocation', await freePair());
      await next.untilReady();
      const dying = startTraffic(callsOf(stack, world, { at: { revocation: leading.grpc } }));
      const staying = startTraffic(callsOf(stack, world, { at: { revocation: next.grpc } }));
      await untilTrue('both revoke', () => [dying, staying].every(({ report }) => report.revoked.length > 100));
      await leading.kill();
      reports.push(await dying.stop());
      const { length } = staying.report.revoked;
      await untilTrue('the other goes on', () => staying.report.revoked.length > length + 100);
      reports.push(await staying.stop());
      leading = next;
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
