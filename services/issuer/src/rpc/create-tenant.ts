import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { RegistryService } from '@touchstone/contracts';
import { createTenant, tenantTtlDefault } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { required } from './required.ts';

export const createTenantHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createTenant> =>
  async (request, { act }) => {
    const tenant = required(request.tenant);
    const tokenTtlMax = toSeconds('tenant.token_ttl_max', tenant.tokenTtlMax) ?? tenantTtlDefault;
    await createTenant(
      act,
      {
        tenantId: tenant.tenantId,
        displayName: tenant.displayName,
        tokenTtlMax,
        firstPartyWithoutConsent: tenant.firstPartyWithoutConsent,
      },
      registering.registry,
    );
    return { tenant: { ...tenant, tokenTtlMax: durationFromMs(tokenTtlMax * 1_000) } };
  };
