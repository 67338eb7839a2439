import type { AuditRecord, OutboxLeader, RevisionRecord } from '@touchstone/core';
import { Backoff, pause, unlessAborted } from './backoff.ts';
import type { Publisher, RelayOptions } from './relay.ts';

/** One kind of event on its way: read, published, marked, in this order, so that killed anywhere it only repeats. */
interface Lane<Event> {
  readonly what: 'revisions' | 'audit';
  read(): Promise<readonly Event[]>;
  publish(batch: readonly Event[]): Promise<void>;
  mark(batch: readonly Event[]): Promise<void>;
}

export interface LaneOptions extends Required<RelayOptions> {
  /** A batch could not be published. */
  readonly onFailed: () => void;
}

export const revisionLane = (
  leader: OutboxLeader,
  publisher: Publisher,
  { batchMax }: LaneOptions,
): Lane<RevisionRecord> => ({
  what: 'revisions',
  read: () => leader.nextRevisions(batchMax),
  publish: (batch) => publisher.publishRevisions(batch),
  mark: async (batch) => leader.markRevisions(batch.at(-1)?.revision ?? 0),
});

export const auditLane = (
  leader: OutboxLeader,
  publisher: Publisher,
  { batchMax }: LaneOptions,
): Lane<AuditRecord> => ({
  what: 'audit',
  read: () => leader.nextAuditRecords(batchMax),
  publish: (batch) => publisher.publishAudit(batch),
  mark: () => leader.markAuditRecords(),
});

/** Moves events until the signal aborts. @throws what the outbox throws; trouble with the publisher it waits out. */
export async function runLane<Event>(lane: Lane<Event>, options: LaneOptions, stop: AbortSignal): Promise<void> {
  const backoff = new Backoff(options.delays);
  while (!stop.aborted) {
    const batch = await lane.read();
    if (batch.length === 0) await rest(options, stop);
    else if (await publishes(lane, batch, backoff, options, stop)) {
      await lane.mark(batch);
      options.onPublished(lane.what, batch.length);
    }
  }
}

/** Whether the whole batch is published; if not, a time of waiting has passed. */
async function publishes<Event>(
  { what, publish }: Lane<Event>,
  batch: readonly Event[],
  backoff: Backoff,
  { log, onFailed }: LaneOptions,
  stop: AbortSignal,
): Promise<boolean> {
  try {
    await unlessAborted(publish(batch), stop);
    if (backoff.failures > 0) log('info', 'the relay publishes again', { what });
    backoff.reset();
    return true;
  } catch (error) {
    if (!stop.aborted)
      log(backoff.failures === 0 ? 'warn' : 'debug', 'the relay could not publish', { what, err: error });
    onFailed();
    await backoff.wait(stop);
    return false;
  }
}

async function rest({ pollMilliseconds, wake }: LaneOptions, stop: AbortSignal): Promise<void> {
  const rested = new AbortController();
  const woken = wake(AbortSignal.any([stop, rested.signal])).catch(() => pause(pollMilliseconds, rested.signal));
  await Promise.race([pause(pollMilliseconds, stop), woken]);
  rested.abort();
}
