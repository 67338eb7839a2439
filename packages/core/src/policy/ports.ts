import type { Signal } from '../access/act.ts';
import type { AuditEvent } from '../audit/audit-event.ts';
import type { Change, Head } from '../revisions/revision.ts';
import type { ConfirmationKind } from '../tokens/confirmation.ts';
import type { TokenMethodName, Usage } from '../tokens/token-record.ts';
import type { Policy } from './policy.ts';

/** A version of a policy, and how it came to be. */
export interface PolicyVersion {
  readonly policy: Policy;
  /** An operator's name. */
  readonly recordedBy: string;
  readonly reason: string;
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number;
}

/** Keeps policies, every version of them. Each is kept with a keyed hash over it: one that somebody else made allows nothing. */
export interface PolicyStore {
  /** @param version null: the one that is in force. Null where there is none. @throws StoreUnavailable */
  read(tenantId: string, version: number | null): Promise<PolicyVersion | null>;
  /** The latest first. @param before only versions before that; null: all. @throws StoreUnavailable */
  list(tenantId: string, before: number | null, limit: number): Promise<readonly PolicyVersion[]>;
  /**
   * Stores the version that follows the one in force, its event and the revision that it takes, or nothing of it; and the
   * version of the tenant's registry rises.
   * @param change what it changes for tokens that are there; null: nothing.
   * @throws EtagStale where another one is in force, TenantUnknown, Disabled, StoreUnavailable
   */
  write(next: Omit<PolicyVersion, 'recordedAt'>, event: AuditEvent, change: Change | null): Promise<PolicyWritten>;
}

export interface PolicyWritten {
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number;
  /** The revision that it took; null: none. */
  readonly head: Head | null;
}

/** What tokens of an app, for a resource server and a usage, may have at most. */
export interface TokenLimits {
  readonly appId: string;
  readonly audience: string;
  readonly usage: Usage;
  /** Null: any. */
  readonly scopes: readonly string[] | null;
  /** Seconds, from their issue to their end; null: as long as they like. */
  readonly ttlMax: number | null;
  /** Null: any. */
  readonly methods: readonly TokenMethodName[] | null;
  /** Null: they need not be bound to anything. */
  readonly confirmations: readonly ConfirmationKind[] | null;
}

export interface TokenCounter {
  /**
   * Of a tenant's tokens that have not expired, revoked ones included, those that have more than one of the limits allows:
   * how many for each, in order. One count at a time, tenants in turns.
   * @param limitsOf called once, when its turn has come: what is gone through for them is gone through one at a time, too.
   * @throws StoreUnavailable, Overloaded, and what `limitsOf` throws
   */
  countBeyond(
    tenantId: string,
    limitsOf: () => Promise<readonly TokenLimits[]>,
    signal?: Signal,
  ): Promise<readonly number[]>;
}
