import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { IssuerService, IssueTokenRequestSchema } from '@touchstone/contracts';
import { type Claims, formatRevision, type IssueCommand, type IssuedToken, issueToken } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { methods, onExcesses, usages } from './enums.ts';
import { fromExcess } from './excess.ts';
import { commandOr, tokenRefused } from './refusals.ts';
import { toConfirmation } from './to-confirmation.ts';

export const issueTokenHandler =
  (context: IssuerContext): UnaryHandler<typeof IssuerService.method.issueToken> =>
  async (request, { act }) => {
    const command = await commandOr(tokenRefused(context), act, () => toIssueCommand(request));
    return fromIssuedToken(await issueToken(act, command, context.issuing));
  };

/** @throws InvalidField */
export function toIssueCommand(request: MessageShape<typeof IssueTokenRequestSchema>): IssueCommand {
  return {
    tenantId: request.tenantId,
    appId: request.appId,
    userId: request.userId || null,
    audience: request.audience,
    scopes: request.scopes,
    ttl: toSeconds('ttl', request.ttl),
    method: methods.nameOf(request.method),
    usage: usages.nameOf(request.usage),
    claims: (request.claims ?? {}) as Claims,
    consentId: request.consentId || null,
    refreshable: request.refreshable,
    confirmation: toConfirmation(request.confirmation),
    onExcess: onExcesses.nameOf(request.onExcess),
  };
}

export const fromIssuedToken = (issued: IssuedToken) => ({
  token: issued.token,
  tokenId: issued.tokenId,
  scopes: [...issued.scopes],
  expiresAt: timestampFromMs(issued.expiresAt),
  revision: formatRevision(issued.head),
  excess: issued.excess.map(fromExcess),
  ...(issued.refresh && {
    refreshToken: issued.refresh.token,
    refreshExpiresAt: timestampFromMs(issued.refresh.expiresAt),
  }),
});
