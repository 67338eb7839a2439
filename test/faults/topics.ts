import { fromBinary } from '@bufbuild/protobuf';
import { type AuditEvent, AuditEventSchema } from '@touchstone/contracts/events';
import type { SealedRevision } from '@touchstone/core';
import { decodeRevisionEvent, topics } from '@touchstone/events';
import kafkajs, { type EachMessagePayload } from 'kafkajs';
import type pg from 'pg';
import { unique } from '../harness/world.ts';
import { untilTrue } from './until.ts';

/** An audit event as it lies on its topic. */
export interface AuditMessage {
  readonly writer: string;
  readonly sequence: number;
  readonly event: AuditEvent;
}

/** What both topics hold, from their beginnings on. */
export interface Topics extends AsyncDisposable {
  /** In the order of the topic; what is no revision is left out. */
  readonly revisions: readonly SealedRevision[];
  readonly audit: readonly AuditMessage[];
}

/** A Kafka client that keeps to itself what it thinks of broken brokers. */
export const kafkaClient = (brokers: readonly string[]) =>
  new kafkajs.Kafka({ clientId: 'faults', brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });

/** Reads both topics for as long as it is open. Fails when they are not there. */
export async function openTopics(brokers: readonly string[]): Promise<Topics> {
  const revisions: SealedRevision[] = [];
  const audit: AuditMessage[] = [];
  const consumer = kafkaClient(brokers).consumer({
    groupId: unique('faults'),
    maxWaitTimeInMs: 200,
    allowAutoTopicCreation: false,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.revocations, topics.audit], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, message }: EachMessagePayload) => {
      if (!message.value) return;
      const revision = topic === topics.revocations ? decodeRevisionEvent(message.value) : null;
      if (revision) revisions.push(revision);
      if (topic === topics.audit) audit.push(auditMessageOf(message.value, message.headers));
    },
  });
  return { revisions, audit, [Symbol.asyncDispose]: () => consumer.disconnect() };
}

function auditMessageOf(value: Buffer, headers: EachMessagePayload['message']['headers']): AuditMessage {
  return {
    writer: String(headers?.ce_source),
    sequence: Number(String(headers?.ce_sequence)),
    event: fromBinary(AuditEventSchema, value),
  };
}

/** The ids of the tokens whose issuing is on the trail. */
export const issuedOnTrail = ({ audit }: Topics): Set<string> =>
  new Set(audit.flatMap(({ event: { act } }) => (act.case === 'tokenIssued' ? [act.value.tokenId] : [])));

/** The ids of the revocations that are on the trail. */
export const revokedOnTrail = ({ audit }: Topics): Set<string> =>
  new Set(audit.flatMap(({ event: { act } }) => (act.case === 'tokensRevoked' ? [act.value.revocationId] : [])));

/** Where a revision comes before one that precedes it; repeats are as they may be. */
export function overtakings({ revisions }: Topics): string[] {
  let highest = 0;
  return revisions.flatMap(({ revision }) => {
    const before = highest;
    highest = Math.max(highest, revision);
    return revision > before + 1 ? [`${revision} after ${before}`] : [];
  });
}

/** The revisions that the topic does not tell as the database has them, once it tells of the last one. */
export async function differingRevisions(admin: pg.Client, topics: Topics): Promise<string[]> {
  const { rows } = await admin.query<{ revision: string; hash: string }>('select revision, hash from revision');
  const last = Math.max(...rows.map(({ revision }) => Number(revision)));
  await untilTrue('the last revision is told', () => topics.revisions.some(({ revision }) => revision === last));
  const [kept, told] = [rows, topics.revisions].map(
    (some) => new Set(some.map(({ revision, hash }) => `${revision} ${hash}`)),
  ) as [Set<string>, Set<string>];
  return [...kept.symmetricDifference(told)];
}

/** What a reader of the trail finds missing: for each writer, the numbers that it has not used. */
export function gaps({ audit }: Topics): string[] {
  const byWriter = Map.groupBy(audit, ({ writer }) => writer);
  return [...byWriter].flatMap(([writer, messages]) => {
    const numbers = new Set(messages.map(({ sequence }) => sequence));
    const missing = Array.from({ length: Math.max(...numbers) }, (_, i) => i + 1).filter((one) => !numbers.has(one));
    return missing.map((one) => `${writer}: ${one}`);
  });
}
