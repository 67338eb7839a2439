import { readFile } from 'node:fs/promises';
import type { IssueTokenResponse } from '@touchstone/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { metric } from './services.ts';
import { gaps, issuedOnTrail, openTopics } from './topics.ts';
import { untilTrue } from './until.ts';

let own: OwnStack;
const close = () => own?.[Symbol.asyncDispose]();

const age = () => metric(own.stack.services.revocation, 'touchstone_relay_audit_age_seconds');
const waiting = () => metric(own.stack.services.revocation, 'touchstone_relay_waiting_audit_events');

function issueSome(count: number): Promise<IssueTokenResponse[]> {
  const calls = callsOf(own.stack, own.world);
  return Promise.all(Array.from({ length: count }, () => calls.issue()));
}

describe('without Kafka', () => {
  beforeAll(async () => {
    own = await openOwnStack();
  });
  afterAll(close);

  test('the metrics tell how many events wait and since when, and the log says once that they do', async () => {
    await untilTrue('the age rises', async () => (await age()) > 1);
    await issueSome(20);
    await using admin = await openAdmin(own);
    const written = await numberOf(admin, 'select count(*) from outbox');
    await untilTrue('the events are counted', async () => (await waiting()) === written);
    const log = await readFile(own.stack.services.revocation.logFile, 'utf8');
    expect(log.match(/without Kafka audit events wait in the database/g)).toHaveLength(1);
  });
});

describe.skipIf(!(await ownKafka('outbox-waits')))('with Kafka, while a long transaction holds events back', () => {
  beforeAll(async () => {
    own = await openOwnStack({ kafka: 'local' });
  });
  afterAll(close);

  test('the metric tells for how long; afterwards all are published, in their order', async () => {
    await using admin = await openAdmin(own);
    await using topics = await openTopics(own.stack.kafkaBrokers);
    const { tenantId } = own.world;
    await untilTrue('nothing waits', async () => (await age()) === 0);
    const insert = `insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
                    values (gen_random_uuid(), $1, '', now(), 'long', 1)`;
    await admin.query('begin');
    await admin.query(insert, [tenantId]);
    const issued = await issueSome(20);
    await untilTrue('the age rises, and all of them wait', async () => (await age()) > 2 && (await waiting()) >= 20);
    const missing = () => issued.filter(({ tokenId }) => !issuedOnTrail(topics).has(tokenId));
    expect(missing()).toHaveLength(20);

    await admin.query('commit');
    await untilTrue('all arrive', () => missing().length === 0);
    await untilTrue('nothing waits', async () => (await age()) === 0 && (await waiting()) === 0);
    expect(gaps(topics)).toEqual([]);
    const ours = topics.audit.filter(({ writer, event }) => writer === 'long' || event.tenantId === tenantId);
    const positions = issued.map(({ tokenId }) =>
      ours.findIndex(({ event: { act } }) => act.case === 'tokenIssued' && act.value.tokenId === tokenId),
    );
    expect(Math.min(...positions)).toBeGreaterThan(ours.findIndex(({ writer }) => writer === 'long'));
    for (const messages of Map.groupBy(ours, ({ writer }) => writer).values()) {
      const sequences = [...new Set(messages.map(({ sequence }) => sequence))];
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    }
  });
});
