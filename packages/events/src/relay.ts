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
  /** How long a replica that leads may publish nothing at all of what waits: then another one, which Kafka may hear, has its turn. */
  readonly resignMilliseconds?: number;
  /** How many events are read at once. */
  readonly batchMax?: number;
}

const defaults = {
  wake: () => new Promise<never>(() => {}),
  onPublished: () => {},
  leadMilliseconds: 1_000,
  delays: { firstMilliseconds: 100, longestMilliseconds: 5_000 },
  resignMilliseconds: 60_000,
  batchMax: 500,
};

/** So many times as long as others do a replica that has resigned waits until it tries to lead again. */
const turnsMissed = 3;

/**
 * Brings events from the outbox to the publisher while this replica leads, until the signal aborts. Nothing is lost and
 * no revision overtakes another, whatever fails; what was published but not marked is published again.
 */
export async function runRelay(outbox: Outbox, publisher: Publisher, options: RelayOptions): Promise<void> {
  const settings = { ...defaults, ...options };
  const { signal, log, leadMilliseconds } = settings;
  while (!signal.aborted) {
    let resigned = false;
    try {
      await using leader = await outbox.lead();
      if (leader) resigned = await leadUntilOver(leader, publisher, settings);
    } catch (error) {
      log('warn', 'the relay can not read or mark the outbox', { err: error });
    }
    await pause(resigned ? turnsMissed * leadMilliseconds : leadMilliseconds, signal);
  }
}

/**
 * Returns when the leadership is lost or given up, or the relay is ended.
 * @returns whether it was given up.
 * @throws what the outbox throws
 */
async function leadUntilOver(
  leader: OutboxLeader,
  publisher: Publisher,
  options: Required<RelayOptions>,
): Promise<boolean> {
  const { log, signal, onPublished, resignMilliseconds } = options;
  log('info', 'the relay leads');
  const failed = new AbortController();
  const resigned = new AbortController();
  const stop = AbortSignal.any([signal, leader.lost, failed.signal, resigned.signal]);
  let failingSince: number | null = null;
  const laneOptions: LaneOptions = {
    ...options,
    onPublished(what, count) {
      failingSince = null;
      onPublished(what, count);
    },
    onFailed() {
      failingSince ??= performance.now();
      if (performance.now() - failingSince > resignMilliseconds) resigned.abort();
    },
  };
  const lanes = [
    // Apart, so that trouble with the one topic does not hold up the other.
    runLane(revisionLane(leader, publisher, laneOptions), laneOptions, stop),
    runLane(auditLane(leader, publisher, laneOptions), laneOptions, stop),
  ];
  for (const lane of lanes) lane.catch(() => failed.abort());
  const ends = await Promise.allSettled(lanes);
  log('info', 'the relay leads no more');
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return resigned.signal.aborted;
}
