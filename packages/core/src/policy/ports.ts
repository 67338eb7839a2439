import type { Signal } from '../access/act.ts';
import type { AuditEvent } from '../audit/audit-event.ts';
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
   * Stores the version that follows the one in force, and its event, or neither; and the version of the tenant's registry
   * rises. Returns when.
   * @throws EtagStale where another one is in force, TenantUnknown, Disabled, StoreUnavailable
   */
  write(next: Omit<PolicyVersion, 'recordedAt'>, event: AuditEvent): Promise<number>;
}

/** What tokens of an app, for a resource server and a usage, may have at most. */
export interface TokenLimits {
  readonly appId: string;
  readonly audience: string;
  readonly usage: Usage;
  readonly scopes: readonly string[];
  /** Seconds, from their issue to their end. */
  readonly ttlMax: number;
  readonly methods: readonly TokenMethodName[];
  /** Null: they need not be bound to anything. */
  readonly confirmations: readonly ConfirmationKind[] | null;
}

export interface TokenCounter {
  /**
   * Of a tenant's tokens that have not expired, revoked ones included, those that have more than one of the limits allows:
   * how many for each, in order.
   * @throws StoreUnavailable, Overloaded
   */
  countBeyond(tenantId: string, limits: readonly TokenLimits[], signal?: Signal): Promise<readonly number[]>;
}
