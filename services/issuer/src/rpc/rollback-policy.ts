import type { RegistryService } from '@touchstone/contracts';
import { rollbackPolicy } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromMadePolicy } from './policy.ts';

export const rollbackPolicyHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.rollbackPolicy> =>
  async ({ tenantId, toVersion, version, reason }, { act }) =>
    fromMadePolicy(await rollbackPolicy(act, { tenantId, toVersion, version, reason }, deciding));
