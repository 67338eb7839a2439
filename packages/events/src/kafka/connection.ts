import kafkajs, { type KafkaConfig, type LogEntry } from 'kafkajs';
import type { Log } from '../log.ts';
import type { Sockets } from './sockets.ts';

/** How Kafka is reached. */
export interface KafkaConnection {
  /** Some of the cluster's brokers, as `host:port`; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Log;
}

/** The names of the topics. */
export interface Topics {
  readonly revocations: string;
  readonly audit: string;
}

export const topics: Topics = { revocations: 'touchstone.revocations.v1', audit: 'touchstone.audit.v1' };

/** Kafka can't be reached, or refuses. What was asked of it may have happened or not. */
export class KafkaUnavailable extends Error {
  override readonly name = 'KafkaUnavailable';
  constructor(doing: string, cause: unknown) {
    super(`Kafka: ${doing}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** What kafkajs needs to know. It gives up soon: whoever asks it starts afresh, for as long as it takes. */
export function kafkaConfig({ brokers, clientId, log }: KafkaConnection, sockets: Sockets) {
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { retries: brokers.length, initialRetryTime: 100, maxRetryTime: 500 },
    socketFactory: sockets.factory,
    logLevel: kafkajs.logLevel.WARN,
    // What it takes for an error or a warning we wait out and report ourselves.
    logCreator: () => (entry: LogEntry) => log('debug', `kafkajs: ${entry.log.message}`, detailsOf(entry)),
  } satisfies KafkaConfig;
}

function detailsOf({ namespace, log: { broker, error, retryCount } }: LogEntry): Record<string, unknown> {
  return { namespace, broker, error, retryCount };
}
