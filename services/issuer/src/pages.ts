import { listPublishedKeys, publishedKeysMaxAge } from '@touchstone/core';
import type { Page } from '@touchstone/service-kit';
import { jwkSet } from '@touchstone/token-methods';
import type { IssuerContext } from './context.ts';

/** The public keys that verifiers of signed tokens need (RFC 7517), those of all tenants. */
const jwks: Page<IssuerContext> = async ({ signing, replica: { presence } }) => ({
  contentType: 'application/jwk-set+json',
  maxAge: publishedKeysMaxAge,
  body: jwkSet(await listPublishedKeys({ ...signing, presence })),
});

/** The documents of the HTTP port. */
export const pages = { '/.well-known/jwks.json': jwks } as const;
