import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GrantLimitsSchema, RegistryService } from '@touchstone/contracts';
import { type GrantLimits, previewPolicy } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromSeconds } from './duration.ts';
import { confirmationKinds, methods, usages } from './enums.ts';
import { toPolicy } from './policy.ts';

export const previewPolicyHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.previewPolicy> =>
  async ({ policy }, { act }) => {
    const { changes, changesCount, ...counts } = await previewPolicy(act, toPolicy(required(policy)), deciding);
    return {
      changes: changes.map((change) => ({
        appId: change.appId,
        audience: change.audience,
        usage: usages.valueOf(change.usage),
        before: fromLimits(change.before),
        after: fromLimits(change.after),
        liveTokens: BigInt(change.liveTokens),
        refusedTokens: BigInt(change.refusedTokens),
      })),
      liveTokens: BigInt(counts.liveTokens),
      refusedTokens: BigInt(counts.refusedTokens),
      changesCount,
    };
  };

const fromLimits = (limits: GrantLimits): MessageInitShape<typeof GrantLimitsSchema> => ({
  scopes: [...limits.scopes],
  tokenTtlMax: fromSeconds(limits.ttlMax),
  methods: limits.methods.map(methods.valueOf),
  confirmations: (limits.confirmations ?? []).map(confirmationKinds.valueOf),
  consentAgeMax: fromSeconds(limits.consentAgeMax),
});
