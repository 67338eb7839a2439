import type { Signal } from '../access/act.ts';
import type { AuditEvent } from '../audit/audit-event.ts';
import type { Awaitable } from '../awaitable.ts';
import type { TokenKey } from '../tokens/token-key.ts';
import type { NewTokenRecord, TokenRecord } from '../tokens/token-record.ts';

/** What the database gives a token that is about to be made. */
export interface Birth {
  /** Unique, and greater than every sequence drawn before. */
  readonly sequence: number;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
  /** The server that it was drawn on, as a tail names it. */
  readonly server: string;
}

/** A record that is to be written, and the event of it. */
export interface NewToken {
  readonly record: NewTokenRecord;
  readonly event: AuditEvent;
}

/** The use of a refresh token, which there is once. */
export interface RefreshUse {
  readonly key: TokenKey;
  /** When its family ends: milliseconds since 1970. */
  readonly expiresAt: number;
  /** Tells whether a call that is repeated is the same. */
  readonly request: string;
  /** What the call is answered with, sealed. */
  readonly answer: Buffer;
}

/** A use that came before. */
export interface UsedBefore {
  readonly request: string;
  readonly answer: Buffer;
  /** How many milliseconds ago, by the database's clock. */
  readonly age: number;
}

/** Writes token records. Tenants take turns: one that wants many keeps no other waiting. */
export interface TokenWriter {
  /**
   * Draws a sequence, for one token of the tenant, after the request for it came: what were drawn ahead could be born below the
   * ceiling of a revocation that has returned.
   * @throws StoreUnavailable, Overloaded
   */
  draw(tenantId: string, signal?: Signal): Promise<Birth>;
  /**
   * Stores the record and its event together, or neither. Once this resolves, a fully consistent read on any replica
   * finds the record, also after a crash. False, and nothing stored, where the tenant's registry is no longer at the
   * record's `policyVersion`, the consent that it stands on has been withdrawn, or its sequence was drawn from another server,
   * or the same before it was started anew, or at another time than a few seconds ago.
   * @throws StoreUnavailable, Overloaded
   */
  insert(record: NewTokenRecord, event: AuditEvent, signal?: Signal): Promise<boolean>;
  /**
   * As `insert`, all of them or none, with the use of the refresh token that they are made with. Where that has been used,
   * nothing is stored, and that use returned.
   * @throws TooManyTokens where there is no room, StoreUnavailable, Overloaded
   */
  insertTogether(
    tokens: readonly NewToken[],
    use: RefreshUse | null,
    room: Room | null,
    signal?: Signal,
  ): Promise<boolean | UsedBefore>;
  /** The use of a refresh token; null: there was none. @throws StoreUnavailable */
  findUse(key: TokenKey): Promise<UsedBefore | null>;
}

/** The last of the tokens needs room among those of its app and user. */
export interface Room {
  /** How many may be alive at once, with it. */
  readonly max: number;
  /** Whether one that has not expired is alive. */
  isAlive(record: TokenRecord): boolean;
  /** Once this resolves, `isAlive` knows of every revocation that had returned before. @throws StoreUnavailable */
  refresh(): Promise<void>;
  /** Ends those that have to go, while nobody else takes their place; null: there is no making room. */
  readonly end: ((oldest: readonly TokenRecord[]) => Promise<void>) | null;
}

/** How many tokens may be had a minute. */
export interface Rate {
  /** Names what is counted, in the whole installation. */
  readonly key: string;
  readonly tokensPerMinute: number;
  /** Whose limit it is, for people. */
  readonly by: string;
}

/** Counts what is issued, all replicas together. */
export interface RateLimiter {
  /** Takes one token out of each. Never more than there are; the last few of a minute may be lost. @throws RateExceeded, StoreUnavailable */
  take(rates: readonly Rate[]): Promise<void>;
}

/** Writes events of acts that change nothing else. */
export interface AuditWriter {
  /** @throws StoreUnavailable, Overloaded */
  record(event: AuditEvent): Promise<void>;
}

/** Stands for users where nobody may see who they are. Each tenant has a key of its own for that. */
export interface UserHandles {
  /** Those of a tenant: at once, where its key is known. @throws TenantUnknown where it has none any more, StoreUnavailable */
  of(tenantId: string): Awaitable<TenantHandles>;
  /** A caller's, by its `principalSubject`: a credential may be made before its tenant is. */
  ofCaller(tenantId: string, subject: string): string;
}

/** Stands for a tenant's users. */
export interface TenantHandles {
  /** A keyed hash of the user id; of a caller's `principalSubject`, the caller's. */
  handleOf(userId: string): string;
  /** What a sector is told instead of the user id: the same each time, and nothing that another sector could match. */
  pseudonymOf(sector: string, userId: string): string;
}
