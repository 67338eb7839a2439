import type { AuditEvent } from '../audit/audit-event.ts';
import type { Head } from '../revisions/revision.ts';
import type { App, Registered, RegisteredKind, ResourceServer, Tenant } from './registration.ts';

/** All that decides about issuing a token, from one snapshot; null where there is no such entry in the tenant. */
export interface Registration {
  readonly tenant: Tenant | null;
  readonly app: App | null;
  readonly resourceServer: ResourceServer | null;
  readonly disabled: ReadonlySet<RegisteredKind>;
  /** Rises with every change in the tenant: a token is only written under the version that it was decided under. */
  readonly version: number;
}

/** An entry, and what tells this version of it from others. */
export interface Versioned<Entry> {
  readonly entry: Entry;
  readonly etag: string;
}

/** Changes what validators must hear of. */
export interface ResourceServerWriter {
  /**
   * Stores the entry, a revision that tells of it, and its event, or none of them.
   * @param etag of the version that it replaces.
   * @throws EtagStale, StoreUnavailable
   */
  replace(
    entry: ResourceServer,
    etag: string,
    event: AuditEvent,
  ): Promise<{ readonly head: Head; readonly etag: string }>;
}

/** Where an entry belongs, whether or not it is disabled. */
export interface Owned {
  readonly tenantId: string;
  readonly disabled: boolean;
}

/**
 * The tenants, apps and resource servers. Each entry is kept with a keyed hash over it, so that one who writes to the
 * database without the key can't add a scope, a grant or a released claim: such an entry counts as not there.
 */
export interface Registry {
  /** What decides about a token of this app for this audience. May be remembered: see `version`. @throws StoreUnavailable */
  find(tenantId: string, appId: string, audience: string): Promise<Registration>;
  /** Forgets what is remembered of the tenant. */
  forget(tenantId: string): void;
  /** Never remembered. Null where there is none. @throws StoreUnavailable */
  owner(what: RegisteredKind, id: string): Promise<Owned | null>;
  /** Never remembered. Null where there is none. @throws StoreUnavailable */
  resourceServer(audience: string): Promise<(Versioned<ResourceServer> & { readonly disabled: boolean }) | null>;
  /** Stores the entry and its event, or neither. @throws AlreadyExists, TenantUnknown, Disabled, StoreUnavailable */
  create(registered: Registered, event: AuditEvent): Promise<void>;
}
