import { type AssertionVerifier, type ClaimedAssertion, touchstoneAudience } from '@touchstone/core';
import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK, type JWK, type JWTPayload } from 'jose';
import { isKeyOf } from '../keys/signature-keys.ts';

const charactersMax = 4_096;
const jtiCharactersMax = 256;
/** Seconds since 1970: what is beyond is no date. */
const timeMax = 100_000_000_000;
/** The media types of assertions, where they say theirs: no other kind of JWT is one. */
const types: readonly unknown[] = [undefined, 'JWT', 'client-authentication+jwt'];

/** Reads and verifies assertions of clients (RFC 7523). */
export const assertionVerifier: AssertionVerifier = {
  read(jwt) {
    if (jwt.length > charactersMax) return null;
    try {
      const { typ, crit, kid } = decodeProtectedHeader(jwt);
      // Nothing that is critical is known here.
      if (!types.includes(typ) || crit !== undefined || typeof kid !== 'string') return null;
      return claimedIn(decodeJwt(jwt), kid);
    } catch {
      return null;
    }
  },

  async isSignedBy(jwt, key) {
    try {
      const jwk: JWK = JSON.parse(key);
      const { alg = '' } = decodeProtectedHeader(jwt);
      if (!isKeyOf(alg, jwk)) return false;
      await compactVerify(jwt, await importJWK(jwk, alg), { algorithms: [alg] });
      return true;
    } catch {
      return false;
    }
  },
};

function claimedIn({ iss, sub, aud, jti, iat, nbf, exp }: JWTPayload, keyId: string): ClaimedAssertion | null {
  if (typeof iss !== 'string' || sub !== iss) return null;
  // For somebody else as well: that one could use it here.
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (audiences.length !== 1 || audiences[0] !== touchstoneAudience) return null;
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > jtiCharactersMax) return null;
  if (!isTime(exp) || ![iat, nbf].every((time) => time === undefined || isTime(time))) return null;
  const begins = [iat, nbf].filter((time) => time !== undefined).map(toMilliseconds);
  const beginsAt = begins.length > 0 ? Math.max(...begins) : null;
  return { client: iss, keyId, jti, beginsAt, expiresAt: toMilliseconds(exp) };
}

const isTime = (time: unknown): time is number => typeof time === 'number' && time > 0 && time < timeMax;
const toMilliseconds = (seconds: number): number => Math.round(seconds * 1_000);
