import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import getPort from 'get-port';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PortTaken } from './errors.ts';
import { openTemporaryFolder, type TemporaryFolder } from './folders.ts';
import { kafkaAvailable, type LocalKafka, startKafka } from './kafka.ts';
import { isAlive } from './processes.ts';

const available = await kafkaAvailable();
const topic = 'letters';
const startTimeoutMs = 180_000; // The first run fetches the jars.

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await openTemporaryFolder();
});

afterEach(() => folder[Symbol.asyncDispose]());

const start = async (name = 'kafka'): Promise<LocalKafka> =>
  startKafka({ dataDir: join(folder.path, name), port: await getPort(), controllerPort: await getPort() });

const connect = ({ brokers }: LocalKafka): Kafka => new Kafka({ brokers, logLevel: logLevel.NOTHING });

async function createTopic(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
  await admin.disconnect();
}

async function produce(kafka: Kafka, values: readonly string[]): Promise<void> {
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
}

/** The first `count` messages of the topic, read by a consumer group that has read none. */
async function consume(kafka: Kafka, groupId: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      if (values.push(String(message.value)) === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return values;
}

describe.runIf(available.ok)('a local Kafka', () => {
  test('keeps its messages through a crash and through a stop, on new ports', { timeout: startTimeoutMs }, async () => {
    await using first = await start();
    await createTopic(connect(first));
    await produce(connect(first), ['one', 'two']);
    expect(await consume(connect(first), 'before', 2)).toEqual(['one', 'two']);
    await first.kill();
    expect(await isAlive(first.pid)).toBe(false);

    await using second = await start();
    await produce(connect(second), ['three']);
    expect(await consume(connect(second), 'after the crash', 3)).toEqual(['one', 'two', 'three']);
    await second.stop();
    await second.stop();
    expect(await isAlive(second.pid)).toBe(false);

    await using third = await start();
    expect(await consume(connect(third), 'after the stop', 3)).toEqual(['one', 'two', 'three']);
  });

  test('creates no topic unasked, and runs beside another one', { timeout: startTimeoutMs }, async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = await Promise.all([start('one'), start('two')]);
    stack.use(one);
    stack.use(two);
    await createTopic(connect(one));
    await produce(connect(one), ['here']);
    const admin = stack.adopt(connect(two).admin(), (connected) => connected.disconnect());
    await admin.connect();
    await expect(admin.fetchTopicMetadata({ topics: [topic] })).rejects.toThrow('does not host this topic');
    expect(await admin.listTopics()).toEqual([]);
  });

  test('names the port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const dataDir = join(folder.path, 'kafka');
    const refused = startKafka({ dataDir, port: await getPort(), controllerPort: port });
    await expect(refused).rejects.toThrow(PortTaken);
    await expect(refused).rejects.toThrow(String(port));
    other.close();
  });
});

test.runIf(!available.ok)('without Java or jars, a start says what is missing', async () => {
  await expect(start()).rejects.toThrow(available.ok ? '' : available.why);
});
