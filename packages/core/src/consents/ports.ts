import type { AuditEvent } from '../audit/audit-event.ts';
import type { WrappedKey } from '../keys/ports.ts';
import type { AppGrant } from '../register/registration.ts';

/** What a user has permitted an app. */
export interface Consent {
  readonly consentId: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly userHandle: string;
  readonly grants: readonly AppGrant[];
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number;
  /** Milliseconds since 1970: from this instant on nothing is issued under it. */
  readonly expiresAt: number;
}

/** A consent, and what has become of it. */
export interface ConsentAsOf {
  readonly consent: Consent;
  readonly isWithdrawn: boolean;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
}

/** A consent that is to be recorded. */
export interface NewConsent extends Omit<Consent, 'recordedAt' | 'expiresAt'> {
  /** Seconds. */
  readonly ttl: number;
  /** Unique in the tenant. */
  readonly idempotencyKey: string;
  readonly key: WrappedKey;
}

/** Keeps consents. Each is kept with a keyed hash over it: one that somebody else made counts as not there. */
export interface ConsentStore {
  /** Never remembered. Null where these tenants have none such. @throws StoreUnavailable */
  find(consentId: string, tenantIds: readonly string[]): Promise<ConsentAsOf | null>;
  /** The consent with its key, null where that has been deleted. @throws StoreUnavailable */
  findWithKey(consentId: string, tenantId: string): Promise<(ConsentAsOf & { readonly key: WrappedKey | null }) | null>;
  /** The consent that was recorded under this idempotency key; null: none. @throws StoreUnavailable */
  findByKey(tenantId: string, idempotencyKey: string): Promise<ConsentAsOf | null>;
  /**
   * Stores the consent, its key and its event, or none of them. Where the idempotency key has been used, nothing is stored,
   * and the first consent returned.
   * @throws StoreUnavailable
   */
  record(consent: NewConsent, event: AuditEvent): Promise<ConsentAsOf>;
  /**
   * A user's consents, the latest first.
   * @param after the id of the last one that is known; empty: from the beginning.
   * @throws StoreUnavailable
   */
  list(tenantId: string, userHandle: string, after: string, limit: number): Promise<ConsentsFound>;
}

export interface ConsentsFound {
  readonly consents: readonly ConsentAsOf[];
  /** What the next ones come after; null: there are none. */
  readonly next: string | null;
}

/** Makes the keys of consents. */
export interface ConsentKeyMaker {
  /** @throws StoreUnavailable */
  create(consentId: string): Promise<WrappedKey>;
}
