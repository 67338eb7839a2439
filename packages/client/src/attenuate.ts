import {
  type Caveat,
  caveatsMax,
  formatCaveat,
  formatMacaroon,
  parseMacaroon,
  tokenCharactersMax,
  withCaveat,
} from '@touchstone/core/token-strings';

/** What a copy of a token is to be narrowed to. Each that is there narrows; none can widen. */
export interface Attenuation {
  /** Of the token's scopes, only those that are among these. At least one. */
  readonly scopes?: readonly string[];
  /** It ends then, in seconds since 1970, if not before. */
  readonly expiresAt?: number;
  /** Good for one request only: SHA-256 in base64url of what identifies it, as the resource server will compute it, too. */
  readonly request?: string;
}

/**
 * Makes a narrower copy of an ATTENUABLE token, without asking anybody: what is handed on allows no more than is needed.
 * The copy can be narrowed again; it is revoked with the token that it was made from.
 *
 * @throws RangeError where it is no ATTENUABLE token, where the attenuation is none, and where the copy would be too long, or
 * have too many caveats, for anybody to take.
 */
export function attenuate(token: string, { scopes, expiresAt, request }: Attenuation): string {
  const macaroon = parseMacaroon(token);
  if (!macaroon) throw new RangeError('token: this is no ATTENUABLE token');
  const caveats: Caveat[] = [];
  if (scopes !== undefined) caveats.push({ kind: 'scopes', scopes });
  if (expiresAt !== undefined) caveats.push({ kind: 'expiry', expiresAt });
  if (request !== undefined) caveats.push({ kind: 'request', binding: request });
  if (caveats.length === 0) throw new RangeError('attenuation: it must narrow something');
  const narrowed = caveats.map(formatCaveat).reduce(withCaveat, macaroon);
  const copy = formatMacaroon(narrowed);
  if (narrowed.caveats.length > caveatsMax || copy.length > tokenCharactersMax)
    throw new RangeError(`token: a copy has at most ${caveatsMax} caveats and ${tokenCharactersMax} characters`);
  return copy;
}
