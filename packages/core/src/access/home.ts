import type { Principal } from './act.ts';

/** The home of credentials that act in several tenants. No tenant can be created by this name. */
export const platformTenantId = 'touchstone';

/** The tenant that a principal's credentials, and what is recorded of it, belong to. */
export const homeOf = ({ tenantIds }: Pick<Principal, 'tenantIds'>): string =>
  tenantIds.length === 1 ? (tenantIds[0] as string) : platformTenantId;
