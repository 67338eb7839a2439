import type { IssuerService } from '@touchstone/contracts';
import { refreshToken } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { onExcesses } from './enums.ts';
import { fromIssuedToken } from './issue-token.ts';
import { commandOr, tokenRefused } from './refusals.ts';

export const refreshTokenHandler =
  (context: IssuerContext): UnaryHandler<typeof IssuerService.method.refreshToken> =>
  async ({ refreshToken: token, scopes, ttl, onExcess }, { act }) => {
    const command = await commandOr(tokenRefused(context), act, () => ({
      token,
      scopes,
      ttl: toSeconds('ttl', ttl),
      onExcess: onExcesses.nameOf(onExcess),
    }));
    return fromIssuedToken(await refreshToken(act, command, context.refreshing));
  };
