import type { AuditRecord, Outbox, OutboxLeader, RevisionRecord } from '@touchstone/core';
import { type Delays, pause } from './backoff.ts';
import type { Log } from './log.ts';
import { auditLane, type LaneOptions, revisionLane, runLane } from './relay-lane.ts';

/** Where the relay puts events. Each call resolves once all of them are stored, and rejects when any may not be. */
export interface Publisher {
  /** In order: one is sent only once those before it are stored, or together with them. */
  publishRevisions(revisions: readonly RevisionRecord[]): Promise<void>;
  publishAudit(records: readonly AuditRecord[]): Promise<void>;
}

export interface RelayOptions {
  /** How long it rests when nothing waits. */
  readonly pollMilliseconds: number;
  readonly log: Log;
  /** Ends the relay. */
  readonly signal: AbortSignal;
  /** Resolves when something new may wait, to be earlier than the poll; its signal ends the waiting for it. */
  readonly wake?: (signal: AbortSignal) => Promise<unknown>;
  readonly onPublished?: (what: 'revisions' | 'audit', count: number) => void;
  /** How often a replica that does not lead tries to. */
  readonly leadMilliseconds?: number;
  /** Between attempts to publish. */
  readonly delays?: Delays;
  /** How many events are read at once. */
  readonly batchMax?: number;
}

const defaults = {
  wake: () => new Promise<never>(() => {}),
  onPublished: () => {},
  leadMilliseconds: 1_000,
  delays: { firstMilliseconds: 100, longestMilliseconds: 5_000 },
  batchMax: 500,
};

/**
 * Brings events from the outbox to the publisher while this replica leads, until the signal aborts. Nothing is lost and
 * no revision overtakes another, whatever fails; what was published but not marked is published again.
 */
export async function runRelay(outbox: Outbox, publisher: Publisher, options: RelayOptions): Promise<void> {
  const settings: LaneOptions = { ...defaults, ...options };
  const { signal, log, leadMilliseconds } = settings;
  while (!signal.aborted) {
    try {
      await using leader = await outbox.lead();
      if (leader) await leadUntilOver(leader, publisher, settings);
    } catch (error) {
      log('warn', 'the relay can not read or mark the outbox', { err: error });
    }
    await pause(leadMilliseconds, signal);
  }
}

/** Returns when the leadership is lost or the relay is ended. @throws what the outbox throws */
async function leadUntilOver(leader: OutboxLeader, publisher: Publisher, options: LaneOptions): Promise<void> {
  const { log, signal } = options;
  log('info', 'the relay leads');
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, leader.lost, failed.signal]);
  const lanes = [
    // Apart, so that trouble with the one topic does not hold up the other.
    runLane(revisionLane(leader, publisher, options), options, stop),
    runLane(auditLane(leader, publisher, options), options, stop),
  ];
  for (const lane of lanes) lane.catch(() => failed.abort());
  const ends = await Promise.allSettled(lanes);
  log('info', 'the relay leads no more');
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
