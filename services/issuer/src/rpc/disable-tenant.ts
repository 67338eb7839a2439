import type { RegistryService } from '@touchstone/contracts';
import { disable, formatRevision } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';

export const disableTenantHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.disableTenant> =>
  async ({ tenantId, reason }, { act }) => {
    const { head } = await disable(act, { what: 'tenant', id: tenantId, reason }, registering);
    return { revision: formatRevision(head) };
  };
