import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { TokenUnknown } from '../errors.ts';
import { keyOfTokenId } from '../revoke/revoke-token.ts';
import type { ConsistentRecords } from '../validate/consistent-records.ts';
import type { UseReader } from './unused-scopes.ts';

/** What is told of a token by its id. */
export interface TokenUse {
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** About when it was honoured last, milliseconds since 1970; null: that was not noted. */
  readonly lastUsedAt: number | null;
}

export interface TokenUsePorts {
  readonly records: ConsistentRecords;
  readonly uses: UseReader;
}

/**
 * When a token was used last, as far as that was noted.
 * @throws CallerNotAllowed, InvalidField, TokenUnknown, StoreUnavailable, Overloaded
 */
export async function getTokenUse(
  { caller, signal }: Act,
  tokenId: string,
  { records, uses }: TokenUsePorts,
): Promise<TokenUse> {
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:read');
  const key = keyOfTokenId(tokenId);
  const {
    records: [record = null],
  } = await records([{ key, tenantIds: caller.tenantIds }], signal);
  if (record?.tokenClass !== 'token' || !actsIn(caller, record.tenantId)) throw new TokenUnknown();
  const { issuedAt, expiresAt } = record;
  return { issuedAt, expiresAt, lastUsedAt: await uses.tokenUsed(key.key) };
}
