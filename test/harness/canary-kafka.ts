import { randomUUID } from 'node:crypto';
import kafkajs, { type Batch, type Consumer, type Kafka, type KafkaMessage } from 'kafkajs';
import type { Source } from './canary.ts';
import { outputMax } from './canary-compressed.ts';
import { type Decoder, decode } from './canary-decode.ts';
import { unlz4Frame, unsnap, unsnapXerial, xerialMagic } from './canary-lz.ts';
import { unzstd } from './canary-zstd.ts';

const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs;
const silenceMaxMs = 60_000;

/**
 * Every message that the topics hold now: key, headers and value, one source each. Whatever codec
 * a batch was written with, it is read. Uses a consumer group of its own and removes it.
 * @throws when a topic is unknown, or when for a minute nothing comes though something should.
 */
export async function* kafkaTopics(brokers: readonly string[], topics: readonly string[]): AsyncIterable<Source> {
  registerCodecs();
  const kafka = new kafkajs.Kafka({ clientId: 'canary', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const missing = await ends(kafka, topics);
  if (missing.size === 0) return;
  const groupId = `canary-${randomUUID()}`;
  // A slow reader holds up the batch in hand; that must not cost it its place in the group.
  const consumer = kafka.consumer({
    groupId,
    readUncommitted: true,
    allowAutoTopicCreation: false,
    sessionTimeout: 120_000,
    // Whoever disconnects waits for the answer to what it has asked for.
    maxWaitTimeInMs: 100,
  });
  try {
    for await (const batch of batches(consumer, topics, missing)) yield* messages(batch);
  } finally {
    await consumer.disconnect();
    await removeGroup(kafka, groupId);
  }
}

/** For each partition that holds something, the offset up to which it must be read. */
async function ends(kafka: Kafka, topics: readonly string[]): Promise<Map<string, bigint>> {
  // Of a topic that is unknown it would ask for ten seconds.
  const admin = kafka.admin({ retry: { retries: 2 } });
  await admin.connect();
  try {
    const found = new Map<string, bigint>();
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        if (BigInt(high) > BigInt(low)) found.set(`${topic}/${partition}`, BigInt(high));
      }
    }
    return found;
  } finally {
    await admin.disconnect();
  }
}

async function* batches(
  consumer: Consumer,
  topics: readonly string[],
  missing: Map<string, bigint>,
): AsyncIterable<Batch> {
  const { readable, writable } = new TransformStream<Batch, Batch>();
  const writer = writable.getWriter();
  const abort = (error: Error) => void writer.abort(error).catch(() => undefined);
  writer.closed.catch(() => undefined); // whoever reads learns of it
  const silence = setTimeout(() => abort(new Error(`not read to the end: ${[...missing.keys()]}`)), silenceMaxMs);
  // Told also of batches without messages, such as the marks of a transaction.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    silence.refresh();
    const partition = `${payload.topic}/${payload.partition}`;
    const end = missing.get(partition);
    if (end === undefined || BigInt(payload.lastOffset) + 1n < end) return;
    missing.delete(partition);
    if (missing.size === 0) void writer.close().catch(() => undefined);
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || abort(payload.error));
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: ({ batch }) => writer.write(batch) });
    yield* readable;
  } finally {
    clearTimeout(silence);
    abort(new Error('reading has ended'));
  }
}

function* messages({ topic, partition, messages }: Batch): Generator<Source> {
  for (const message of messages) yield { name: `${topic}/${partition}@${message.offset}`, bytes: bytesOf(message) };
}

function bytesOf({ key, headers, value }: KafkaMessage): Buffer {
  const named = Object.entries(headers ?? {}).flatMap(([name, values]) => [name, values ?? ''].flat());
  const parts = [key ?? '', ...named, value ?? ''].map((part) => Buffer.from(part as string));
  return Buffer.concat(parts.flatMap((part) => [part, Buffer.from('\n')]));
}

/** kafkajs reads only gzip by itself. A codec that someone has registered stays. */
function registerCodecs(): void {
  const decoders = {
    [CompressionTypes.Snappy]: unsnapAny,
    [CompressionTypes.LZ4]: unlz4Frame,
    [CompressionTypes.ZSTD]: unzstd,
  };
  for (const [type, decoder] of Object.entries(decoders)) {
    const codec = Number(type) as keyof typeof decoders;
    if (!isRegistered(CompressionCodecs[codec])) CompressionCodecs[codec] = () => readingCodec(decoder);
  }
}

function isRegistered(codec: () => unknown): boolean {
  try {
    codec();
    return true;
  } catch {
    return false;
  }
}

function readingCodec(decoder: Decoder) {
  return {
    compress: async () => Promise.reject(new Error('this codec only reads')),
    decompress: async (bytes: Buffer) => decode(decoder, bytes, outputMax).output,
  };
}

const unsnapAny: Decoder = (input, output) => {
  const framed = input.bytes.subarray(0, xerialMagic.length).equals(xerialMagic);
  return framed ? unsnapXerial(input, output) : unsnap(input, output);
};

async function removeGroup(kafka: Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    // It would expire by itself: a broker that still counts the member as there is no failure.
    await admin.deleteGroups([groupId]).catch(() => undefined);
  } finally {
    await admin.disconnect();
  }
}
