import { AppUnknown, AudienceUnknown, TenantUnknown } from '../errors.ts';
import type { Registry } from './ports.ts';
import type { RegisteredKind } from './registration.ts';

/** There is no such entry; or it is another tenant's, which looks the same. */
export function unknownEntry(what: RegisteredKind): Error {
  if (what === 'tenant') return new TenantUnknown();
  return what === 'app' ? new AppUnknown() : new AudienceUnknown();
}

/** @throws TenantUnknown, StoreUnavailable */
export async function requireTenantThere(registry: Pick<Registry, 'read'>, tenantId: string): Promise<void> {
  if (!(await registry.read('tenant', tenantId, [tenantId]))) throw new TenantUnknown();
}
