import type { RegistryService } from '@touchstone/contracts';
import { getPolicy } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromPolicy } from './policy.ts';

export const getPolicyHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.getPolicy> =>
  async ({ tenantId, version }, { act }) => ({
    policy: fromPolicy(await getPolicy(act, tenantId, version === 0 ? null : version, deciding)),
  });
