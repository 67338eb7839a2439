import { ClaimReserved, ClaimsTooLarge } from '../errors.ts';
import type { Claims } from '../tokens/token-method.ts';

/** Bytes, as JSON. */
const claimsBytesMax = 4_096;

/**
 * Names that say something of the token rather than of its user: RFC 7519 section 4.1, RFC 7800, RFC 8693 section 4,
 * RFC 9068 section 2.2, RFC 7662 section 2.2, and OpenID Connect's.
 */
const reserved = new Set(
  (
    'iss sub aud exp nbf iat jti scope client_id act may_act cnf azp auth_time acr amr nonce at_hash c_hash s_hash sid ' +
    'events active token_type typ alg kid ref tenant_id app_id consent_id'
  ).split(' '),
);

/** @throws ClaimReserved, ClaimsTooLarge */
export function checkClaims(claims: Claims): void {
  for (const name of Object.keys(claims)) {
    if (reserved.has(name.toLowerCase())) throw new ClaimReserved(name);
  }
  if (Buffer.byteLength(JSON.stringify(claims)) > claimsBytesMax) throw new ClaimsTooLarge(claimsBytesMax);
}
