import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Canary, findCanaries, type Source } from '../harness/canary.ts';
import { fixtureCanary, kafkaSnappyJava, kafkaZstd, lz4Cli } from '../harness/canary-fixtures.ts';
import { kafkaTopics } from '../harness/canary-sources.ts';

const brokers = inject('stack').kafkaBrokers;
const secretNamed = (name: string): string => `canary-${name}-5f0c1b7a@example.org`;
const canariesNamed = (...names: string[]): Canary[] => names.map((name) => ({ name, value: secretNamed(name) }));

async function collect(sources: AsyncIterable<Source>): Promise<Source[]> {
  return Array.fromAsync(sources);
}

describe.skipIf(brokers.length === 0)('what reads the topics (needs Kafka)', () => {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const topics = [`canary-${randomUUID()}`, `canary-${randomUUID()}`];
  const [topic, empty] = topics as [string, string];
  const admin = kafka.admin();

  beforeAll(async () => {
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }, { topic: empty }], waitForLeaders: true });
    const producer = kafka.producer();
    await producer.connect();
    const messages = Array.from({ length: 200 }, (_, row) => ({ key: `key ${row}`, value: `value ${row}` }));
    messages.push({ key: secretNamed('key'), value: 'x' }, { key: 'x', value: secretNamed('value') });
    await producer.send({ topic, messages, compression: kafkajs.CompressionTypes.GZIP });
    await producer.send({
      topic,
      messages: [{ key: 'h', value: null, headers: { who: [secretNamed('header'), 'x'] } }],
    });
    await producer.disconnect();
  });
  afterAll(async () => {
    await admin.deleteTopics({ topics });
    await admin.disconnect();
  });

  test('key, headers and value of every message are read, and only once', async () => {
    const sources = await collect(kafkaTopics(brokers, topics));
    expect(new Set(sources.map(({ name }) => name)).size).toBe(203);
    const findings = await findCanaries(sources, canariesNamed('key', 'value', 'header'));
    expect(findings.map(({ canary }) => canary).sort()).toEqual(['header', 'key', 'value']);
  });

  test('an empty topic ends at once, an unknown one is an error', async () => {
    expect(await collect(kafkaTopics(brokers, [empty]))).toEqual([]);
    await expect(collect(kafkaTopics(brokers, ['canary-unknown']))).rejects.toThrow();
  });

  test('whoever stops early leaves nothing behind', async () => {
    for await (const _ of kafkaTopics(brokers, topics)) break;
    const { groups } = await admin.listGroups();
    expect(groups.filter(({ groupId }) => groupId.startsWith('canary-'))).toEqual([]);
  });

  test('batches of other codecs are read', async () => {
    await collect(kafkaTopics(brokers, [])); // registers the codecs
    const { CompressionCodecs, CompressionTypes } = kafkajs;
    const records = (batch: Buffer) => batch.subarray(61);
    const reads: [kafkajs.CompressionTypes, Buffer][] = [
      [CompressionTypes.Snappy, records(kafkaSnappyJava)],
      [CompressionTypes.ZSTD, records(kafkaZstd)],
      [CompressionTypes.LZ4, lz4Cli],
    ];
    for (const [type, bytes] of reads) {
      const output: Buffer = await CompressionCodecs[type as 2 | 3 | 4]().decompress(bytes);
      expect(output.includes(fixtureCanary)).toBe(true);
    }
  });
});
