import { hash } from 'node:crypto';
import type { DpopProof, ProofVerifier, VerifiedProof } from '@touchstone/core';
import { calculateJwkThumbprint, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { isPublic } from '../keys/public-jwk.ts';
import { isKeyOf } from '../keys/signature-keys.ts';
import { normalisedUri } from './http-uri.ts';

/** The media type of DPoP proofs. */
const type = 'dpop+jwt';
const jtiCharactersMax = 256;
/** Seconds since 1970: what is beyond is no date. */
const issuedAtMax = 100_000_000_000;

/** Verifies DPoP proofs (RFC 9449 section 4.3). */
export const proofVerifier: ProofVerifier = {
  async verify(proof, token) {
    try {
      const { alg, jwk } = keyOf(proof.jwt);
      const { payload } = await compactVerify(proof.jwt, await importJWK(jwk, alg), { algorithms: [alg] });
      const said = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
      return isFor(said, proof, token) ? verifiedFrom(said, await calculateJwkThumbprint(jwk)) : null;
    } catch {
      return null;
    }
  },
};

/** The key that a proof says it is signed with. @throws where it is not one that a proof may be signed with */
function keyOf(jwt: string): { alg: string; jwk: JWK } {
  const { typ, alg = '', jwk, crit } = decodeProtectedHeader(jwt);
  // Nothing that is critical is known here.
  if (typ !== type || crit !== undefined) throw new Error('it is no DPoP proof');
  if (!jwk || !isKeyOf(alg, jwk)) throw new Error('it has no key of its algorithm');
  if (!isPublic(jwk)) throw new Error('its key is not public');
  return { alg, jwk };
}

/** Whether it is for this request with this token. */
const isFor = (said: Record<string, unknown>, { method, uri }: DpopProof, token: string): boolean => {
  const wanted = normalisedUri(uri);
  return (
    said.htm === method &&
    wanted !== null &&
    typeof said.htu === 'string' &&
    normalisedUri(said.htu) === wanted &&
    said.ath === hash('sha256', token, 'base64url')
  );
};

function verifiedFrom({ jti, iat }: Record<string, unknown>, key: string): VerifiedProof | null {
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > jtiCharactersMax) return null;
  if (typeof iat !== 'number' || !(iat > 0 && iat < issuedAtMax)) return null;
  return { key, jti, issuedAt: Math.round(iat * 1_000) };
}
