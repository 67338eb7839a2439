import { type FollowerEvents, RevisionTooNew, StoreUnavailable } from '@touchstone/core';
import { KeyEncryptionFailed } from '@touchstone/token-methods';
import { whyOf } from './why.ts';

type LogMethod = (fields: object, message: string) => void;

/** What a service gives to its replica, to tell what happens. */
export interface ReplicaRuntime {
  readonly logger: Readonly<Record<'debug' | 'info' | 'warn' | 'error', LogMethod>>;
  readonly metrics: { counter(name: string, help: string): { inc(by?: number): void } };
  readonly readiness: { set(reason: string, why: string | null): void };
  /** Where callers reach the service, for the census. */
  readonly grpcPort: number;
  /** Ends the waiting for a database that is away. */
  readonly signal: AbortSignal;
}

/** What happens to a replica that its operator wants to know. */
export interface ReplicaLog extends FollowerEvents {
  /** The database is away or not set up, or its data keys can't be unwrapped. */
  waitingForDatabase(error: Error): void;
  /** A connection broke; the pool makes another. */
  databaseTrouble(error: Error): void;
  beatCommitted(): void;
  /**
   * The replica's row in the census could not be committed, or what the database said to it not be understood: beyond the
   * fence it answers UNAVAILABLE.
   */
  beatFailed(error: unknown): void;
  /** What the Kafka client says. */
  kafka(level: 'debug' | 'info' | 'warn' | 'error', message: string, details?: Readonly<Record<string, unknown>>): void;
}

/** Tells it to the service's log, metrics and readiness. */
export function replicaLog({ logger, metrics, readiness }: ReplicaRuntime): ReplicaLog {
  const replaced = metrics.counter(
    'touchstone_histories_replaced_total',
    'How often the history of revisions was another one.',
  );
  const distrusted = metrics.counter(
    'touchstone_revisions_distrusted_total',
    'Revisions that did not continue the chain.',
  );
  let lastWhy = '';
  return {
    historyReplaced(before, after) {
      replaced.inc();
      logger.error(
        { before: before.revision, after: after.revision },
        'the database tells another history: all was loaded anew',
      );
    },
    sourceDistrusted(revision) {
      distrusted.inc();
      logger.debug({ revision }, 'a revision does not continue the chain: the database is asked');
    },
    waitingForDatabase(error) {
      const why = whyOf(error);
      const isKey = error.cause instanceof KeyEncryptionFailed;
      // Anybody may read why a service is not ready: which key it is, and whose, is for the log.
      readiness.set('keys', isKey ? 'a data key cannot be unwrapped: the log says what to check' : null);
      readiness.set('database', isKey ? null : `waiting for the database: ${why}`);
      if (why !== lastWhy) logger.warn({ why }, isKey ? 'a data key cannot be unwrapped' : 'waiting for the database');
      lastWhy = why;
    },
    databaseTrouble: (error) => logger.warn({ why: whyOf(error) }, 'a connection to the database broke'),
    beatCommitted() {
      readiness.set('keys', null);
      readiness.set('database', null);
    },
    beatFailed(err) {
      const isTooNew = err instanceof StoreUnavailable && err.cause instanceof RevisionTooNew;
      const why = isTooNew ? whyOf(err) : 'the row in the census can not be committed';
      readiness.set('database', why);
      logger.warn({ err }, why);
    },
    kafka: (level, message, details = {}) => logger[level]({ ...details }, message),
  };
}
