import type { AuditEvent } from '../audit/audit-event.ts';
import type { SealedRevision } from '../revisions/revision.ts';

/** Turns an audit event into the bytes that auditors read. */
export interface AuditCodec {
  /** @param occurredAt milliseconds since 1970. */
  encode(event: AuditEvent, eventId: string, occurredAt: number): Uint8Array;
}

/** A revision that waits in the database to be published. */
export interface RevisionRecord extends SealedRevision {
  /** Milliseconds since 1970. */
  readonly recordedAt: number;
}

/** An audit event that waits in the database to be published. */
export interface AuditRecord {
  /** Unique; tells repeats. */
  readonly eventId: string;
  /** The tenant; null for acts of the installation. */
  readonly tenantId: string | null;
  readonly payload: Uint8Array;
  /** Milliseconds since 1970. */
  readonly occurredAt: number;
  /** Who wrote it, and the count among that writer's events: 1, 2, 3 ... without gaps, so that one missing is seen. */
  readonly writer: string;
  readonly writerSequence: number;
}

/** The events that wait to be published, for the one replica that may publish. */
export interface Outbox {
  /** Becomes the relay; null while another replica is. @throws StoreUnavailable */
  lead(): Promise<OutboxLeader | null>;
}

/** What the relay reads, and where it notes how far it has come. Disposing of it lets another replica lead. */
export interface OutboxLeader extends AsyncDisposable {
  /** Aborts when the leadership is lost, as when the connection that holds the lock breaks. */
  readonly lost: AbortSignal;
  /** The revisions after the last one marked, in order: of large ones fewer. @throws StoreUnavailable */
  nextRevisions(limit: number): Promise<readonly RevisionRecord[]>;
  /** Notes that all revisions up to this one are on the topic. @throws StoreUnavailable */
  markRevisions(revision: number): Promise<void>;
  /**
   * The audit events after the last one marked, in an order in which none can still appear before one that was read:
   * not while a transaction that may hold one is open. @throws StoreUnavailable
   */
  nextAuditRecords(limit: number): Promise<readonly AuditRecord[]>;
  /** Notes that all of the last `nextAuditRecords` are on the topic. @throws StoreUnavailable */
  markAuditRecords(): Promise<void>;
}
