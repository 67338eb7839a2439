import { AppUnknown, AudienceUnknown, TenantUnknown } from '../errors.ts';
import type { Registry } from './ports.ts';
import type { RegisteredKind } from './registration.ts';

/** Where a request that holds more of an entry than its id has the id. */
export const idFields = {
  tenant: 'tenant.tenant_id',
  app: 'app.app_id',
  resource_server: 'resource_server.audience',
} as const;

/** There is no such entry; or it is another tenant's, which looks the same. @param field where the request has its id. */
export function unknownEntry(what: RegisteredKind, field?: string): Error {
  if (what === 'tenant') return new TenantUnknown(field);
  return what === 'app' ? new AppUnknown(field) : new AudienceUnknown(field);
}

/** @throws TenantUnknown, StoreUnavailable */
export async function requireTenantThere(
  registry: Pick<Registry, 'read'>,
  tenantId: string,
  field?: string,
): Promise<void> {
  if (!(await registry.read('tenant', tenantId, [tenantId]))) throw new TenantUnknown(field);
}
