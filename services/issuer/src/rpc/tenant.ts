import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { TenantSchema } from '@touchstone/contracts';
import { type Stored, type Tenant, tenantTtlDefault } from '@touchstone/core';
import { fromCallerIdentity, toCallerIdentity } from './caller-identity.ts';
import { fromSeconds, toSeconds } from './duration.ts';

/** @throws InvalidField */
export const toTenant = (message: MessageShape<typeof TenantSchema>): Tenant => ({
  tenantId: message.tenantId,
  displayName: message.displayName,
  tokenTtlMax: toSeconds('tenant.token_ttl_max', message.tokenTtlMax) ?? tenantTtlDefault,
  tokensPerMinuteMax: message.tokensPerMinuteMax || null,
  firstPartyWithoutConsent: message.firstPartyWithoutConsent,
  identityServices: message.identityServices.map(({ name, identities }) => ({
    name,
    identities: identities.map(toCallerIdentity),
  })),
});

export const fromTenant = ({
  entry: { tokenTtlMax, identityServices, ...entry },
  ...stored
}: Stored<Tenant>): MessageInitShape<typeof TenantSchema> => ({
  ...entry,
  ...stored,
  tokensPerMinuteMax: entry.tokensPerMinuteMax ?? 0,
  tokenTtlMax: fromSeconds(tokenTtlMax),
  identityServices: (identityServices ?? []).map(({ name, identities }) => ({
    name,
    identities: identities.map(fromCallerIdentity),
  })),
});
