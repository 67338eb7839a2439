import type { JWK } from 'jose';

/** Of an RSA key's public exponent, in base64url: a long one makes a signature slow to verify. */
const exponentCharactersMax = 6;

/** By its `alg`, what key a signature of others must be made with: no symmetric one, and no algorithm by another name. */
const keys: Readonly<Record<string, (jwk: JWK) => boolean>> = {
  EdDSA: ({ kty, crv }) => kty === 'OKP' && crv === 'Ed25519',
  ES256: ({ kty, crv }) => kty === 'EC' && crv === 'P-256',
  RS256: ({ kty, e }) => kty === 'RSA' && typeof e === 'string' && e.length <= exponentCharactersMax,
};

/** Whether signatures by this algorithm are made with such a key. */
export const isKeyOf = (alg: string, jwk: JWK): boolean => Object.hasOwn(keys, alg) && keys[alg]?.(jwk) === true;

/** The algorithm that signatures are made by with such a key; undefined: they are not. */
export const algorithmOf = (jwk: JWK): string | undefined => Object.keys(keys).find((alg) => isKeyOf(alg, jwk));
