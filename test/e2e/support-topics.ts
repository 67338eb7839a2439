import { randomUUID } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type AuditEvent,
  AuditEventSchema,
  type RevocationEvent,
  RevocationEventSchema,
} from '@touchstone/contracts/events';
import { topics } from '@touchstone/events';
import kafkajs, { type KafkaMessage } from 'kafkajs';

/** A message of one of our topics. */
export interface Heard<Event> {
  readonly event: Event;
  readonly key: string | null;
  readonly partition: number;
  readonly headers: Readonly<Record<string, string>>;
  /** All of it, headers included, as it went over the wire. */
  readonly bytes: Buffer;
}

/** Hears both topics from their beginning, as an auditor would; what has been heard grows. */
export interface Listener extends AsyncDisposable {
  readonly audit: readonly Heard<AuditEvent>[];
  readonly revocations: readonly Heard<RevocationEvent>[];
}

export async function listenToTopics(brokers: readonly string[]): Promise<Listener> {
  const kafka = new kafkajs.Kafka({ clientId: 'test', brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const audit: Heard<AuditEvent>[] = [];
  const revocations: Heard<RevocationEvent>[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.audit, topics.revocations], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const value = message.value ?? Buffer.alloc(0);
      if (topic === topics.audit) audit.push(heard(fromBinary(AuditEventSchema, value), partition, message));
      else revocations.push(heard(fromBinary(RevocationEventSchema, value), partition, message));
    },
  });
  return { audit, revocations, [Symbol.asyncDispose]: () => consumer.disconnect() };
}

function heard<Event>(event: Event, partition: number, { key, value, headers = {} }: KafkaMessage): Heard<Event> {
  const texts = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)]));
  const bytes = Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0), Buffer.from(JSON.stringify(texts))]);
  return { event, key: key?.toString() ?? null, partition, headers: texts, bytes };
}
