import type { FollowerEvents } from '@touchstone/core';

/** What happens to a replica that its operator wants to know. */
export interface ReplicaLog extends FollowerEvents {
  /** The database is away, not set up, or was not written under this master key. */
  waitingForDatabase(error: Error): void;
  /** A connection broke; the pool makes another. */
  databaseTrouble(error: Error): void;
  /** The replica's row in the census could not be committed: beyond the fence it answers UNAVAILABLE. */
  beatFailed(error: unknown): void;
  /** What the Kafka client says. */
  kafka(level: 'debug' | 'info' | 'warn' | 'error', message: string, details?: Readonly<Record<string, unknown>>): void;
}
