import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { ResourceServerSchema } from '@touchstone/contracts';
import type { ResourceServer, Versioned } from '@touchstone/core';
import { toSeconds } from './duration.ts';

/** @throws InvalidField */
export const toResourceServer = (message: MessageShape<typeof ResourceServerSchema>): ResourceServer => ({
  audience: message.audience,
  tenantId: message.tenantId,
  displayName: message.displayName,
  scopes: message.scopes.map(({ name, description }) => ({ name, description })),
  releasedClaims: message.releasedClaims,
  pairwiseSector: message.pairwiseSector || null,
  exchanges: message.exchanges.map(({ audience, scopes }) => ({
    audience,
    scopes: scopes.map(({ from, to }) => ({ from, to })),
  })),
  tokenTtlMax: toSeconds('resource_server.token_ttl_max', message.tokenTtlMax),
});

export const fromResourceServer = ({
  entry: { pairwiseSector, tokenTtlMax, ...entry },
  etag,
}: Versioned<ResourceServer>): MessageInitShape<typeof ResourceServerSchema> => ({
  ...entry,
  scopes: entry.scopes.map((scope) => ({ ...scope })),
  releasedClaims: [...entry.releasedClaims],
  exchanges: entry.exchanges.map(({ audience, scopes }) => ({
    audience,
    scopes: scopes.map((scope) => ({ ...scope })),
  })),
  pairwiseSector: pairwiseSector ?? '',
  ...(tokenTtlMax === null ? {} : { tokenTtlMax: durationFromMs(tokenTtlMax * 1_000) }),
  etag,
});
