// kafkajs reads through consumer groups only (https://github.com/tulios/kafkajs/issues/373). Every validator wants every
// event, from the end on, and notes nothing: a group for that costs seconds to join (4.3 s against 7 ms, measured with
// the broker's defaults) and heartbeats, and needs the group's coordinator besides the topic. What kafkajs's consumer
// stands on reads without one, but is not exported. All that we use of it is declared here.
import { createRequire } from 'node:module';
import type { ICustomPartitioner, ISocketFactory, logCreator, logLevel, Producer, RetryOptions } from 'kafkajs';

const require = createRequire(import.meta.url);

export interface ClusterOptions {
  readonly logger: unknown;
  readonly socketFactory: ISocketFactory;
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
  /** 0: read uncommitted. */
  readonly isolationLevel: 0;
  readonly retry: RetryOptions;
}

export interface Broker {
  /** The request in the latest version that both know. */
  lookupRequest(key: number, requests: FetchRequests): (options: FetchOptions) => FetchRequest;
  readonly connectionPool: {
    send<Answer>(request: FetchRequest & { readonly response: Response<Answer> }): Promise<Answer>;
  };
}

interface FetchOptions {
  /** -1: of no replica. */
  readonly replicaId: -1;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: 0;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly FetchedPartition[] }[];
}

interface FetchedPartition {
  readonly partition: number;
  readonly fetchOffset: string;
  readonly maxBytes: number;
}

interface FetchRequest {
  readonly request: { readonly apiVersion: number };
  readonly requestTimeout: number;
}

/** kafkajs's own unpacks whatever size it is, reads headers in a time that grows with their square, and fails as a whole. */
interface Response<Answer> {
  decode(bytes: Buffer): Promise<Answer>;
  parse(answer: Answer): Promise<Answer>;
}

/** Does not mind where bytes end. */
interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readString(): string | null;
  readBytes(length: number): Buffer;
  forward(length: number): void;
}

export interface Cluster {
  connect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  /** The partitions under the ids of the brokers that lead them. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(of: { readonly nodeId: string }): Promise<Broker>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning: boolean;
    }[],
  ): Promise<readonly { readonly partitions: readonly { readonly offset: string }[] }[]>;
}

export const Cluster: new (options: ClusterOptions) => Cluster = require('kafkajs/src/cluster/index.js');

/** Over a cluster that is given: the one that kafkajs's client would make for it asks about all topics. */
export const createProducer: (options: {
  readonly cluster: Cluster;
  readonly logger: unknown;
  readonly retry: RetryOptions;
  readonly idempotent: boolean;
  readonly createPartitioner: ICustomPartitioner;
}) => Producer = require('kafkajs/src/producer/index.js');

export const {
  createLogger,
}: {
  createLogger(options: { readonly level: logLevel; readonly logCreator: logCreator }): unknown;
} = require('kafkajs/src/loggers/index.js');

export const Decoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js');

export const { createErrorFromCode }: { createErrorFromCode(code: number): Error } =
  require('kafkajs/src/protocol/error.js');

interface FetchRequests {
  readonly versions: readonly string[];
}

export const fetchRequests: FetchRequests = require('kafkajs/src/protocol/requests/fetch/index.js');

export const { Fetch: fetchKey }: { readonly Fetch: number } = require('kafkajs/src/protocol/requests/apiKeys.js');

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

// After its first answer each connection would look every millisecond, for ever, whether a request waits, at 1-2% of a
// core, and make Node warn of a negative timeout: https://github.com/tulios/kafkajs/issues/1704. Where none waits there
// is nothing to look for: whatever enqueues one calls this again.
const queues: RequestQueue = require('kafkajs/src/network/requestQueue/index.js').prototype;
const schedule = queues.scheduleCheckPendingRequests;
queues.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this);
};
