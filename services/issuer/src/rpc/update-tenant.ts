import type { RegistryService } from '@touchstone/contracts';
import { updateEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromTenant, toTenant } from './tenant.ts';

export const updateTenantHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.updateTenant> =>
  async (request, { act }) => {
    const tenant = required(request.tenant);
    const entry = toTenant(tenant);
    const { etag } = await updateEntry(act, { what: 'tenant', entry }, tenant.etag, registering);
    return { tenant: fromTenant({ entry, etag, disabled: false }) };
  };
