import type { ConsentService } from '@touchstone/contracts';
import { recordConsent } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { fromConsent } from './from-consent.ts';

export const recordConsentHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.recordConsent> =>
  async ({ tenantId, appId, userId, grants, ttl, idempotencyKey }, { act }) => {
    const command = {
      tenantId,
      appId,
      userId,
      grants: grants.map(({ audience, scopes }) => ({ audience, scopes })),
      ttl: required(toSeconds('ttl', ttl) ?? undefined),
      idempotencyKey,
    };
    return { consent: fromConsent(await recordConsent(act, command, consenting)) };
  };
