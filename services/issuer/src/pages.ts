import { listPublishedKeys } from '@touchstone/core';
import type { Page } from '@touchstone/service-kit';
import { jwkSet } from '@touchstone/token-methods';
import type { IssuerContext } from './context.ts';

/** Seconds. A key is published for as long as another one signs before it does, so this may be long. */
const maxAge = 300;

/** The public keys that verifiers of signed tokens need (RFC 7517), those of all tenants. */
const jwks: Page<IssuerContext> = async ({ signing }) => ({
  contentType: 'application/jwk-set+json',
  maxAge,
  body: jwkSet(await listPublishedKeys(signing)),
});

/** The documents of the HTTP port. */
export const pages = { '/.well-known/jwks.json': jwks } as const;
