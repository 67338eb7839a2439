import type { AuditEvent } from '../audit/audit-event.ts';
import type { Revocation } from '../revoke/ports.ts';

/** What is kept of a user, or of a whole tenant, and is to go. */
export interface Erasure {
  readonly erasureId: string;
  readonly tenantId: string;
  /** Null: the whole tenant. */
  readonly userHandle: string | null;
  /** Milliseconds since 1970, by the database's clock. */
  readonly requestedAt: number;
  /** When nothing was left; null: not yet. */
  readonly erasedAt: number | null;
}

/** What is asked for. */
export interface ErasureRequest extends Pick<Erasure, 'erasureId' | 'tenantId' | 'userHandle'> {
  /** What ended all that the user had: whatever is younger stays, for users may come back. Null: the whole tenant goes. */
  readonly revocation: Pick<Revocation, 'ceiling' | 'head'> | null;
}

/** Keeps what is to be erased, until it has been. */
export interface ErasureStore {
  /** Stores it and its event, or neither. @throws NotDisabled where it is of a tenant that is not, StoreUnavailable */
  request(erasure: ErasureRequest, event: AuditEvent): Promise<void>;
  /** Null where these tenants have none such. @throws StoreUnavailable */
  find(erasureId: string, tenantIds: readonly string[]): Promise<Erasure | null>;
}
