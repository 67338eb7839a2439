import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { ResourceServerSchema, ScopeSchema } from '@touchstone/contracts';
import type { ResourceServer, Scope, Stored } from '@touchstone/core';
import { fromCallerIdentity, toCallerIdentity } from './caller-identity.ts';
import { fromSeconds, toSeconds } from './duration.ts';
import { sensitivities } from './enums.ts';

/** @throws InvalidField */
export const toResourceServer = (message: MessageShape<typeof ResourceServerSchema>): ResourceServer => ({
  audience: message.audience,
  tenantId: message.tenantId,
  displayName: message.displayName,
  scopes: message.scopes.map(toScope),
  releasedClaims: message.releasedClaims,
  pairwiseSector: message.pairwiseSector || null,
  encryptionJwk: message.encryptionJwk || null,
  exchanges: message.exchanges.map(({ audience, scopes }) => ({
    audience,
    scopes: scopes.map(({ from, to }) => ({ from, to })),
  })),
  owners: message.owners,
  tokenTtlMax: toSeconds('resource_server.token_ttl_max', message.tokenTtlMax),
  stalenessMax: toSeconds('resource_server.staleness_max', message.stalenessMax),
  identities: message.identities.map(toCallerIdentity),
});

const toScope = ({ name, description, sensitivity, tokenTtlMax }: MessageShape<typeof ScopeSchema>): Scope => ({
  name,
  description,
  sensitivity: sensitivities.nameOf(sensitivity),
  tokenTtlMax: toSeconds('resource_server.scopes.token_ttl_max', tokenTtlMax),
});

export const fromResourceServer = ({
  entry,
  etag,
  disabled,
}: Stored<ResourceServer>): MessageInitShape<typeof ResourceServerSchema> => ({
  ...entry,
  scopes: entry.scopes.map(({ sensitivity, tokenTtlMax, ...scope }) => ({
    ...scope,
    sensitivity: sensitivities.valueOf(sensitivity),
    tokenTtlMax: fromSeconds(tokenTtlMax),
  })),
  releasedClaims: [...entry.releasedClaims],
  pairwiseSector: entry.pairwiseSector ?? '',
  encryptionJwk: entry.encryptionJwk ?? '',
  exchanges: entry.exchanges.map(({ audience, scopes }) => ({
    audience,
    scopes: scopes.map((scope) => ({ ...scope })),
  })),
  owners: [...entry.owners],
  tokenTtlMax: fromSeconds(entry.tokenTtlMax),
  stalenessMax: fromSeconds(entry.stalenessMax ?? null),
  identities: (entry.identities ?? []).map(fromCallerIdentity),
  etag,
  disabled,
});
