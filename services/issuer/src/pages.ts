import type { Page } from '@touchstone/service-kit';
import { jwkSet } from '@touchstone/token-methods';
import type { IssuerContext } from './context.ts';

/** Seconds. A key is published for as long as another one signs before it does, so this may be long. */
const maxAge = 300;

/** The public keys that verifiers of signed tokens need (RFC 7517), those of all tenants. */
const jwks: Page<IssuerContext> = async ({ signing: { signingKeys, follower } }) => {
  const published = await signingKeys.listPublished();
  // What the database says of a key's end is not under its mac; the watermarks are.
  const alive = published.filter(({ keyId }) => !follower.watermarks.isDead({ kind: 'signing_key', key: keyId }));
  return { contentType: 'application/jwk-set+json', maxAge, body: jwkSet(alive) };
};

/** The documents of the HTTP port. */
export const pages = { '/.well-known/jwks.json': jwks } as const;
