import type { Producer } from 'kafkajs';
import { pause } from '../backoff.ts';
import type { CloudEvent } from './cloud-event.ts';
import { connectFor } from './cluster.ts';
import { type KafkaConnection, KafkaUnavailable, kafkaConfig } from './connection.ts';
import { createProducer } from './kafkajs-internals.ts';
import { choosingOnce } from './partitioner.ts';
import { Sockets } from './sockets.ts';

/** A message, and its partition where the key does not decide. */
export type Message = CloudEvent & { readonly partition?: number };

/** A producer, and the partitions that the messages of the batch under way go to. */
interface OpenProducer extends AsyncDisposable {
  readonly producer: Producer;
  readonly chosen: Map<object, number>;
}

// A broker takes a batch of 1 MiB unless told otherwise.
const batchBytesMax = 512 * 1024;
const headerBytes = 400;
const ackMilliseconds = 5_000;
const disconnectMilliseconds = 1_000;

/**
 * Sends to one topic, one batch after the other, acknowledged by all in-sync replicas, by an idempotent producer.
 *
 * A producer that has failed once is never used again. It may not know whether its last batch was stored, and would number
 * the next one like that one: where it was stored and they are of one length, the broker takes the next for a repeat,
 * acknowledges it and drops it.
 */
export class Sender implements AsyncDisposable {
  readonly #connection: KafkaConnection;
  readonly #topic: string;
  #producer: OpenProducer | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(connection: KafkaConnection, topic: string) {
    this.#connection = connection;
    this.#topic = topic;
  }

  /** Resolves when all are stored; in order within a partition. @throws KafkaUnavailable when any may not be. */
  send(messages: readonly Message[]): Promise<void> {
    const sent = this.#last.then(() => this.#sendAll(messages));
    this.#last = sent.catch(() => {});
    return sent;
  }

  async #sendAll(messages: readonly Message[]): Promise<void> {
    try {
      for (const batch of batchesOf(messages)) await this.#sendBatch(batch);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw new KafkaUnavailable(`sending to ${this.#topic}`, error);
    }
  }

  async #sendBatch(messages: Message[]): Promise<void> {
    this.#producer ??= await openProducer(this.#connection, this.#topic);
    const { producer, chosen } = this.#producer;
    chosen.clear();
    const acks = await producer.send({ topic: this.#topic, messages, acks: -1, timeout: ackMilliseconds });
    // When a leader changes during a send, kafkajs can leave out a partition without a word.
    const missing = new Set(chosen.values());
    for (const { partition } of acks) missing.delete(partition);
    if (missing.size > 0) throw new Error('a partition did not acknowledge');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer?.[Symbol.asyncDispose]();
    this.#producer = null;
  }
}

async function openProducer(connection: KafkaConnection, topic: string): Promise<OpenProducer> {
  using opening = new DisposableStack();
  const sockets = opening.use(new Sockets());
  const chosen = new Map<object, number>();
  const { retry, requestTimeout } = kafkaConfig(connection, sockets);
  const producer = createProducer({
    ...(await connectFor(topic, connection, sockets, requestTimeout)),
    retry,
    idempotent: true,
    createPartitioner: choosingOnce(chosen),
  });
  await producer.connect();
  const resources = opening.move();
  return {
    producer,
    chosen,
    async [Symbol.asyncDispose]() {
      await Promise.race([producer.disconnect().catch(() => {}), pause(disconnectMilliseconds)]);
      resources.dispose();
    },
  };
}

/** Parts that a broker takes as one batch each. */
function batchesOf(messages: readonly Message[]): Message[][] {
  const batches: Message[][] = [];
  let room = 0;
  for (const message of messages) {
    const size = message.value.length + headerBytes;
    if (size > room) {
      batches.push([]);
      room = batchBytesMax;
    }
    batches.at(-1)?.push(message);
    room -= size;
  }
  return batches;
}
