import type { AuditEvent } from '../audit/audit-event.ts';
import type { WrappedKey } from '../keys/ports.ts';
import type { IndexedPolicy } from '../policy/rule-index.ts';
import type { Change, Head } from '../revisions/revision.ts';
import type { App, Entries, Registered, RegisteredKind, ResourceServer, Tenant } from './registration.ts';

/** All that decides about issuing a token, from one snapshot; null where there is no such entry in the tenant. */
export interface Registration {
  readonly tenant: Tenant | null;
  readonly app: App | null;
  readonly resourceServer: ResourceServer | null;
  readonly disabled: ReadonlySet<RegisteredKind>;
  readonly policy: IndexedPolicy;
  /** Rises with every change in the tenant: a token is only written under the version that it was decided under. */
  readonly version: number;
}

/** An entry, and what tells this version of it from others. */
export interface Versioned<Entry> {
  readonly entry: Entry;
  readonly etag: string;
}

/** An entry as it is kept. */
export interface Stored<Entry> extends Versioned<Entry> {
  readonly disabled: boolean;
}

/**
 * The tenants, apps and resource servers. Each entry is kept with a keyed hash over it, so that one who writes to the
 * database without the key can't add a scope, a grant or a released claim: such an entry counts as not there.
 */
export interface Registry {
  /**
   * What decides about a token of this app for this audience. May be remembered: see `version`.
   * @throws StoreUnavailable, Overloaded
   */
  find(tenantId: string, appId: string, audience: string): Promise<Registration>;
  /** Forgets what is remembered of the tenant. */
  forget(tenantId: string): void;
  /** Never remembered. Null where these tenants have none such. @throws StoreUnavailable */
  read<Kind extends RegisteredKind>(
    what: Kind,
    id: string,
    tenantIds: readonly string[],
  ): Promise<Stored<Entries[Kind]> | null>;
  /**
   * Those of these tenants, in the order of their ids. Never remembered.
   * @param after the id of the last one that is known; empty: from the beginning.
   * @throws StoreUnavailable
   */
  list<Kind extends RegisteredKind>(
    what: Kind,
    tenantIds: readonly string[],
    after: string,
    limit: number,
  ): Promise<EntriesPage<Kind>>;
}

export interface EntriesPage<Kind extends RegisteredKind> {
  readonly entries: readonly Stored<Entries[Kind]>[];
  /** What the next page comes after; null: there is none. */
  readonly next: string | null;
}

/** Changes the registry: an entry and its event, or neither; and the version of the tenant rises. */
export interface RegistryWriter {
  /**
   * Returns the etag.
   * @param tenantKey of a tenant: its key, which is kept with it.
   * @throws AlreadyExists, TenantUnknown, Disabled, StoreUnavailable
   */
  create(registered: Registered, event: AuditEvent, tenantKey: WrappedKey | null): Promise<string>;
  /**
   * What is answered otherwise from then on takes a revision, which validators hear of.
   * @param etag of the version that is replaced.
   * @param change what that is; null: nothing.
   * @throws EtagStale, StoreUnavailable
   */
  replace(
    registered: Registered,
    etag: string,
    event: AuditEvent,
    change: Change | null,
  ): Promise<{ readonly etag: string; readonly head: Head | null }>;
}
