import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { TenantSchema } from '@touchstone/contracts';
import { type Stored, type Tenant, tenantTtlDefault } from '@touchstone/core';
import { fromSeconds, toSeconds } from './duration.ts';

/** @throws InvalidField */
export const toTenant = (message: MessageShape<typeof TenantSchema>): Tenant => ({
  tenantId: message.tenantId,
  displayName: message.displayName,
  tokenTtlMax: toSeconds('tenant.token_ttl_max', message.tokenTtlMax) ?? tenantTtlDefault,
  tokensPerMinuteMax: message.tokensPerMinuteMax || null,
  firstPartyWithoutConsent: message.firstPartyWithoutConsent,
});

export const fromTenant = ({
  entry: { tokenTtlMax, ...entry },
  ...stored
}: Stored<Tenant>): MessageInitShape<typeof TenantSchema> => ({
  ...entry,
  ...stored,
  tokensPerMinuteMax: entry.tokensPerMinuteMax ?? 0,
  tokenTtlMax: fromSeconds(tokenTtlMax),
});
