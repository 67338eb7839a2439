import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type ConsentSchema, ConsentState } from '@touchstone/contracts';
import type { ConsentAsOf, ConsentSeen } from '@touchstone/core';

export const fromConsent = (found: ConsentAsOf & Partial<ConsentSeen>): MessageInitShape<typeof ConsentSchema> => ({
  consentId: found.consent.consentId,
  tenantId: found.consent.tenantId,
  appId: found.consent.appId,
  grants: found.consent.grants.map(({ audience, scopes }) => ({ audience, scopes: [...scopes] })),
  state: stateOf(found),
  recordedAt: timestampFromMs(found.consent.recordedAt),
  expiresAt: timestampFromMs(found.consent.expiresAt),
  ...(found.lastUsedAt == null ? {} : { lastUsedAt: timestampFromMs(found.lastUsedAt) }),
});

function stateOf({ consent, isWithdrawn, now }: ConsentAsOf): ConsentState {
  if (isWithdrawn) return ConsentState.WITHDRAWN;
  return now >= consent.expiresAt ? ConsentState.EXPIRED : ConsentState.ACTIVE;
}
