import type { RegistryService } from '@touchstone/contracts';
import { listEntries } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toPage } from './page.ts';
import { fromTenant } from './tenant.ts';

export const listTenantsHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.listTenants> =>
  async (request, { act }) => {
    const command = { what: 'tenant', tenantId: null, ...toPage(request) } as const;
    const { entries, next } = await listEntries(act, command, registering.registry);
    return { tenants: entries.map(fromTenant), nextPageToken: next ?? '' };
  };
