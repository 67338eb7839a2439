import type { RegistryService } from '@touchstone/contracts';
import { updatePolicy } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromMadePolicy, toPolicy } from './policy.ts';

export const updatePolicyHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.updatePolicy> =>
  async ({ policy, reason }, { act }) =>
    fromMadePolicy(await updatePolicy(act, toPolicy(required(policy)), reason, deciding));
