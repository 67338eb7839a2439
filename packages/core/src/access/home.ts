import type { Caller } from './act.ts';

/**
 * The home of credentials that no one tenant may end: those that act in several, or revoke everything. No tenant can be created
 * by this name.
 */
export const platformTenantId = 'touchstone';

/** The tenant that a caller's credential, and what is recorded of it, belong to. */
export const homeOf = ({ tenantIds, scopes }: Pick<Caller, 'tenantIds' | 'scopes'>): string =>
  tenantIds.length === 1 && !scopes.includes('tokens:revoke_all') ? (tenantIds[0] as string) : platformTenantId;
