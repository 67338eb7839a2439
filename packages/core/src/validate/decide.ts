import { timingSafeEqual } from 'node:crypto';
import { type Cap, isBeyond } from '../policy/cap.ts';
import type { Watermarks } from '../revisions/watermarks.ts';
import { type Confirmation, confirmationText } from '../tokens/confirmation.ts';
import type { Opened } from '../tokens/token-method.ts';
import type { TokenClass, TokenRecord } from '../tokens/token-record.ts';

/** Why a token is refused. */
export type RefusalReason =
  | 'malformed'
  | 'unknown'
  | 'revoked'
  | 'tampered'
  | 'audience_mismatch'
  | 'policy'
  | 'proof_required'
  | 'proof_invalid'
  | 'expired'
  | 'scope_missing'
  | 'request_mismatch';

/** What its holder has been proven to have; `nothing`: something came that proves nothing. */
export type Proven = Confirmation | 'nothing';

/** What the token is to be good for. */
export interface Demand {
  readonly tokenClass: TokenClass;
  readonly audience: string;
  /** At least one: a token is never good for nothing in particular. */
  readonly scopes: readonly string[];
  /** The request that it came with: SHA-256 in base64url of what identifies it; null: not told. */
  readonly request: string | null;
  /** Null: nothing came. */
  readonly proof: Proven | null;
}

export type Decision =
  | { readonly active: true; readonly record: TokenRecord; readonly opened: Opened }
  | { readonly active: false; readonly reason: RefusalReason };

/**
 * The one place where it is decided whether a token may be honoured: a function of what is known, and of nothing else.
 *
 * @param record null where there is none.
 * @param opened what the presented string tells and allows; null where it does not fit the record. Of a token that is
 *   unknown or revoked it is not looked at.
 * @param now milliseconds since 1970, by the database's clock.
 * @param held what its tenant's policy holds against it, now that it is there; null: nothing.
 */
export function decide(
  record: TokenRecord | null,
  opened: Opened | null,
  watermarks: Watermarks,
  demand: Demand,
  now: number,
  held: Cap | null,
): Decision {
  if (!record) return refused('unknown');
  if (watermarks.revokes(record)) return refused('revoked');
  if (!opened || !isWithin(opened, record)) return refused('tampered');
  if (record.audience !== demand.audience || record.tokenClass !== demand.tokenClass)
    return refused('audience_mismatch');
  // All of it: what is left of its scopes would be another token than the one that was issued.
  if (held && isBeyond(held, record)) return refused('policy');
  // Before what a thief would like to know: how long it lives, and what for.
  if (record.confirmation !== null) {
    if (demand.proof === null) return refused('proof_required');
    if (!confirms(demand.proof, record.confirmation)) return refused('proof_invalid');
  }
  if (hasExpired(record, opened, now)) return refused('expired');
  if (!covers(opened.scopes, demand.scopes)) return refused('scope_missing');
  if (!opened.requests.every((request) => request === demand.request)) return refused('request_mismatch');
  return { active: true, record, opened };
}

const refused = (reason: RefusalReason): Decision => ({ active: false, reason });

/** Whatever the record says that no proof says, nothing proves. */
function confirms(proof: Proven, confirmation: string): boolean {
  if (proof === 'nothing') return false;
  const [given, wanted] = [Buffer.from(confirmationText(proof)), Buffer.from(confirmation)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** A string may allow less than was granted, never more. */
const isWithin = (opened: Opened, record: TokenRecord): boolean =>
  opened.expiresAt <= record.expiresAt && opened.scopes.every((scope) => record.scopes.includes(scope));

/** A token ends with the first of those that it was derived from. */
const hasExpired = (record: TokenRecord, opened: Opened, now: number): boolean =>
  now >= opened.expiresAt || record.lineage.some(({ expiresAt }) => now >= expiresAt);

const covers = (allowed: readonly string[], demanded: readonly string[]): boolean =>
  demanded.length > 0 && demanded.every((scope) => allowed.includes(scope));
