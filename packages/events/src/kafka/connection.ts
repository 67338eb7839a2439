import net from 'node:net';
import { Kafka, type KafkaConfig, logLevel, type Socket } from 'kafkajs';
import type { Log } from '../log.ts';
import { quietRequestQueues } from './kafkajs-internals.ts';

/** How Kafka is reached. */
export interface KafkaConnection {
  /** Some of the cluster's brokers, as `host:port`: the others are learnt from them. */
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

/** Kafka can't be reached, or refuses. Nothing may be assumed about what was asked of it. */
export class KafkaUnavailable extends Error {
  override readonly name = 'KafkaUnavailable';
  constructor(doing: string, cause: unknown) {
    super(`Kafka: ${doing} failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
