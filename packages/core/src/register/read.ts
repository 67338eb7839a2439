import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import type { EntriesPage, Registry, Stored } from './ports.ts';
import type { Entries, RegisteredKind } from './registration.ts';
import { unknownEntry } from './unknown-entry.ts';

/** @throws CallerNotAllowed, TenantUnknown, AppUnknown, AudienceUnknown, StoreUnavailable */
export async function getEntry<Kind extends RegisteredKind>(
  act: Act,
  what: Kind,
  id: string,
  registry: Registry,
): Promise<Stored<Entries[Kind]>> {
  authorise(act);
  const found = await registry.read(what, id, act.caller.tenantIds);
  if (!found || !actsIn(act.caller, found.entry.tenantId)) throw unknownEntry(what);
  return found;
}

export interface ListEntriesCommand<Kind extends RegisteredKind> {
  readonly what: Kind;
  /** Null: all tenants that the caller may act in. */
  readonly tenantId: string | null;
  readonly pageSize: number;
  /** The id of the last entry of the page before; empty: from the beginning. */
  readonly after: string;
}

/** @throws CallerNotAllowed, StoreUnavailable */
export async function listEntries<Kind extends RegisteredKind>(
  act: Act,
  { what, tenantId, pageSize, after }: ListEntriesCommand<Kind>,
  registry: Registry,
): Promise<EntriesPage<Kind>> {
  authorise(act);
  if (tenantId !== null) requireTenant(act.caller, tenantId);
  return registry.list(what, tenantId === null ? act.caller.tenantIds : [tenantId], after, pageSize);
}

function authorise({ caller }: Act): void {
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:read');
}
