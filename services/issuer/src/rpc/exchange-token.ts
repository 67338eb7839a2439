import type { IssuerService } from '@touchstone/contracts';
import { exchangeToken } from '@touchstone/core';
import { toPresentedProof, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { methods } from './enums.ts';
import { fromIssuedToken } from './issue-token.ts';
import { commandOr, tokenRefused } from './refusals.ts';
import { toConfirmation } from './to-confirmation.ts';

export const exchangeTokenHandler =
  (context: IssuerContext): UnaryHandler<typeof IssuerService.method.exchangeToken> =>
  async ({ token, audience, scopes, ttl, method, request, proof, confirmation }, { act }) => {
    const command = await commandOr(tokenRefused(context), act, () => ({
      token,
      audience,
      scopes,
      ttl: toSeconds('ttl', ttl),
      method: methods.nameOf(method),
      request: request || null,
      proof: toPresentedProof(proof),
      confirmation: toConfirmation(confirmation),
    }));
    return fromIssuedToken(await exchangeToken(act, command, context.exchanging));
  };
