import type { Signal } from '../access/act.ts';
import type { AuditEvent } from '../audit/audit-event.ts';
import type { NewTokenRecord } from '../tokens/token-record.ts';

/** What the database gives a token that is about to be made. */
export interface Birth {
  /** Unique, and greater than every sequence drawn before. */
  readonly sequence: number;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
}

/** Writes token records. */
export interface TokenWriter {
  /**
   * Draws a sequence, for one token, after the request for it came: what were drawn ahead could be born below the
   * ceiling of a revocation that has returned.
   * @throws StoreUnavailable, Overloaded
   */
  draw(signal?: Signal): Promise<Birth>;
  /**
   * Stores the record and its event together, or neither. Once this resolves, a fully consistent read on any replica
   * finds the record, also after a crash. False, and nothing stored, where the tenant's registry is no longer at the
   * record's `policyVersion`, or the consent that it stands on has been withdrawn.
   * @throws StoreUnavailable, Overloaded
   */
  insert(record: NewTokenRecord, event: AuditEvent, signal?: Signal): Promise<boolean>;
}

/** Writes events of acts that change nothing else. */
export interface AuditWriter {
  /** @throws StoreUnavailable, Overloaded */
  record(event: AuditEvent): Promise<void>;
}

/** Stands for users where nobody may see who they are. */
export interface UserHandles {
  /** A keyed hash of the user id under the tenant's key. */
  handleOf(tenantId: string, userId: string): string;
}
