import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type IssuerService, type IssueTokenRequestSchema, IssueTokenResponseSchema } from '@touchstone/contracts';
import { FieldWriter } from '@touchstone/contracts/field-writer';
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
    return encodeIssued(await issueToken(act, command, context.issuing));
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

const { field } = IssueTokenResponseSchema;
const writer = new FieldWriter();

/** An IssueTokenResponse, of the token alone in most cases: only then field by field. */
function encodeIssued(issued: IssuedToken): Uint8Array | ReturnType<typeof fromIssuedToken> {
  if (issued.refresh || issued.excess.length > 0) return fromIssuedToken(issued);
  return writer.written(() => {
    writer.text(field.token, issued.token);
    writer.text(field.tokenId, issued.tokenId);
    writer.texts(field.scopes, issued.scopes);
    writer.instant(field.expiresAt, issued.expiresAt);
    writer.text(field.revision, formatRevision(issued.head));
  });
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
