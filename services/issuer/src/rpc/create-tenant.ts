import type { RegistryService } from '@touchstone/contracts';
import { createEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromTenant, toTenant } from './tenant.ts';

export const createTenantHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createTenant> =>
  async (request, { act }) => {
    const entry = toTenant(required(request.tenant));
    const etag = await createEntry(act, { what: 'tenant', entry }, registering);
    return { tenant: fromTenant({ entry, etag, disabled: false }) };
  };
