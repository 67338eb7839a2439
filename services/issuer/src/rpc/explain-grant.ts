import type { IssuerService } from '@touchstone/contracts';
import { explainGrant } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromSeconds } from './duration.ts';
import { fromExcess } from './excess.ts';
import { toIssueCommand } from './issue-token.ts';

export const explainGrantHandler =
  ({ issuing }: IssuerContext): UnaryHandler<typeof IssuerService.method.explainGrant> =>
  async ({ request }, { act }) => {
    const explanation = await explainGrant(act, toIssueCommand(required(request)), issuing);
    return {
      granted: explanation.isGranted,
      scopes: [...explanation.scopes],
      ttl: fromSeconds(explanation.ttl),
      excess: explanation.excess.map(fromExcess),
      ruleIds: [...explanation.ruleIds],
      policyVersion: explanation.policyVersion,
      heldExcess: explanation.heldExcess.map(fromExcess),
    };
  };
