import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type IssuerService, type IssueTokenRequestSchema, Usage } from '@touchstone/contracts';
import {
  type Claims,
  formatRevision,
  type IssueCommand,
  type IssuedToken,
  issueToken,
  type Usage as UsageName,
} from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { methodNames } from './method-names.ts';
import { commandOr, tokenRefused } from './refusals.ts';
import { required } from './required.ts';
import { toConfirmation } from './to-confirmation.ts';

export const issueTokenHandler =
  (context: IssuerContext): UnaryHandler<typeof IssuerService.method.issueToken> =>
  async (request, { act }) => {
    const command = await commandOr(tokenRefused(context), act, () => toIssueCommand(request));
    return fromIssuedToken(await issueToken(act, command, context.issuing));
  };

const usageNames: Readonly<Record<Exclude<Usage, typeof Usage.UNSPECIFIED>, UsageName>> = {
  [Usage.INTERACTIVE]: 'interactive',
  [Usage.BATCH]: 'batch',
  [Usage.AUTOMATION]: 'automation',
  [Usage.TEST]: 'test',
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
    method: required(methodNames[request.method]),
    usage: required(usageNames[request.usage as keyof typeof usageNames]),
    claims: (request.claims ?? {}) as Claims,
    consentId: request.consentId || null,
    refreshable: request.refreshable,
    confirmation: toConfirmation(request.confirmation),
  };
}

export const fromIssuedToken = (issued: IssuedToken) => ({
  token: issued.token,
  tokenId: issued.tokenId,
  scopes: [...issued.scopes],
  expiresAt: timestampFromMs(issued.expiresAt),
  revision: formatRevision(issued.head),
  ...(issued.refresh && {
    refreshToken: issued.refresh.token,
    refreshExpiresAt: timestampFromMs(issued.refresh.expiresAt),
  }),
});
