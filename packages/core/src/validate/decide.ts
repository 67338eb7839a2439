import type { Watermarks } from '../revisions/watermarks.ts';
import type { Opened } from '../tokens/token-method.ts';
import type { TokenClass, TokenRecord } from '../tokens/token-record.ts';

/** Why a token is refused. */
export type RefusalReason =
  | 'malformed'
  | 'unknown'
  | 'revoked'
  | 'tampered'
  | 'audience_mismatch'
  | 'expired'
  | 'scope_missing'
  | 'request_mismatch';

/** What the token is to be good for. */
export interface Demand {
  readonly tokenClass: TokenClass;
  readonly audience: string;
  /** At least one: a token is never good for nothing in particular. */
  readonly scopes: readonly string[];
  /** The request that it came with: SHA-256 in base64url of what identifies it; null: not told. */
  readonly request: string | null;
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
 */
export function decide(
  record: TokenRecord | null,
  opened: Opened | null,
  watermarks: Watermarks,
  demand: Demand,
  now: number,
): Decision {
  if (!record) return refused('unknown');
  if (watermarks.revokes(record)) return refused('revoked');
  if (!opened || !isWithin(opened, record)) return refused('tampered');
  if (record.audience !== demand.audience || record.tokenClass !== demand.tokenClass)
    return refused('audience_mismatch');
  if (hasExpired(record, opened, now)) return refused('expired');
  if (!covers(opened.scopes, demand.scopes)) return refused('scope_missing');
  if (!opened.requests.every((request) => request === demand.request)) return refused('request_mismatch');
  return { active: true, record, opened };
}

const refused = (reason: RefusalReason): Decision => ({ active: false, reason });

/** A string may allow less than was granted, never more. */
const isWithin = (opened: Opened, record: TokenRecord): boolean =>
  opened.expiresAt <= record.expiresAt && opened.scopes.every((scope) => record.scopes.includes(scope));

/** A token ends with the first of those that it was derived from. */
const hasExpired = (record: TokenRecord, opened: Opened, now: number): boolean =>
  now >= opened.expiresAt || record.lineage.some(({ expiresAt }) => now >= expiresAt);

const covers = (allowed: readonly string[], demanded: readonly string[]): boolean =>
  demanded.length > 0 && demanded.every((scope) => allowed.includes(scope));
