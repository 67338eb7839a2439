import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type ConsentSchema, type ConsentService, ConsentState } from '@touchstone/contracts';
import { type ConsentAsOf, getConsent, listConsents, recordConsent } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { required } from './required.ts';

const pageSizeDefault = 50;

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

export const getConsentHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.getConsent> =>
  async ({ consentId }, { act }) => ({ consent: fromConsent(await getConsent(act, consentId, consenting.consents)) });

export const listConsentsHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.listConsents> =>
  async ({ tenantId, userId, pageSize, pageToken }, { act }) => {
    const command = { tenantId, userId, pageSize: pageSize || pageSizeDefault, after: pageToken || null };
    const { consents, next } = await listConsents(act, command, consenting);
    return { consents: consents.map(fromConsent), nextPageToken: next ?? '' };
  };

const fromConsent = (found: ConsentAsOf): MessageInitShape<typeof ConsentSchema> => ({
  consentId: found.consent.consentId,
  tenantId: found.consent.tenantId,
  appId: found.consent.appId,
  grants: found.consent.grants.map(({ audience, scopes }) => ({ audience, scopes: [...scopes] })),
  state: stateOf(found),
  recordedAt: timestampFromMs(found.consent.recordedAt),
  expiresAt: timestampFromMs(found.consent.expiresAt),
});

function stateOf({ consent, isWithdrawn, now }: ConsentAsOf): ConsentState {
  if (isWithdrawn) return ConsentState.WITHDRAWN;
  return now >= consent.expiresAt ? ConsentState.EXPIRED : ConsentState.ACTIVE;
}
