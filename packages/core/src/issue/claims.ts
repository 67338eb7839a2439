import { ClaimReserved, ClaimsTooLarge, InvalidField } from '../errors.ts';
import type { Claims, JsonValue } from '../tokens/token-method.ts';

/** Bytes, as JSON. */
const claimsBytesMax = 4_096;

/**
 * Of objects and lists, the claims themselves the first. Each takes up to three messages of an answer, and decoders take no
 * more than 100 in each other: a token with more would make every answer that it is in unreadable.
 */
const levelsMax = 32;

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

/** @throws ClaimReserved, ClaimsTooLarge, InvalidField */
export function checkClaims(claims: Claims): void {
  for (const name of Object.keys(claims)) {
    if (reserved.has(name.toLowerCase())) throw new ClaimReserved(name);
  }
  if (!isNestedAtMost(claims, levelsMax))
    throw new InvalidField('claims', `must not be nested more than ${levelsMax} deep`);
  if (Buffer.byteLength(JSON.stringify(claims)) > claimsBytesMax) throw new ClaimsTooLarge(claimsBytesMax);
}

/** By no more levels than `max`. */
const isNestedAtMost = (value: JsonValue, max: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (max > 0 && Object.values(value).every((item) => isNestedAtMost(item, max - 1)));
