import type { RegistryService } from '@touchstone/contracts';
import { getEntry } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromTenant } from './tenant.ts';

export const getTenantHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.getTenant> =>
  async ({ tenantId }, { act }) => ({
    tenant: fromTenant(await getEntry(act, 'tenant', tenantId, registering.registry)),
  });
