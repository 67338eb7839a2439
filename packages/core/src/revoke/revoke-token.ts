import type { Act } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { refreshAudience, requireKind } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import { CallerNotAllowed, InvalidField, TokenUnknown } from '../errors.ts';
import { newId } from '../new-id.ts';
import type { Follower } from '../revisions/follower.ts';
import { parseTokenId, partitionEnd, type TokenKey, tokenIdOf } from '../tokens/token-key.ts';
import type { TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { RevocationIntent, RevocationWriter, TokenRevoked } from './ports.ts';

/** Which token: by the string, or by the id that logs and the audit trail hold. */
export type RevokeTokenCommand = ({ readonly token: string } | { readonly tokenId: string }) & {
  readonly reason: string;
};

export interface RevokeTokenPorts {
  readonly methods: TokenMethods;
  readonly revocations: RevocationWriter;
  readonly follower: Follower;
}

/**
 * Takes back one token, and whatever was derived from it. Repeating it takes back nothing more, and tells the revision that did.
 * @throws CallerNotAllowed, InvalidField, TokenUnknown, StoreUnavailable, Overloaded
 */
export async function revokeToken(
  act: Act,
  command: RevokeTokenCommand,
  ports: RevokeTokenPorts,
): Promise<TokenRevoked> {
  requireKind(act.caller, 'operator', 'identity_service', 'app');
  const byId = 'tokenId' in command;
  if (byId && act.caller.kind === 'app') {
    throw new CallerNotAllowed('an app revokes the token that it holds', { field: 'token_id' });
  }
  const key = byId ? keyOfTokenId(command.tokenId) : ports.methods.locate(command.token)?.located.key;
  // RFC 7009 section 2.2: what is no token can't be honoured either, so there is nothing left to do.
  if (!key) return { revocationId: null, head: ports.follower.applied };
  const end = partitionEnd(key.partition);
  const intentOf = (record: TokenRecord | null, now: number): RevocationIntent | null => {
    if (record) {
      if (!mayRevoke(act, record)) throw new CallerNotAllowed('this token is not for the caller to revoke');
      return intentOfToken(act, record, command.reason);
    }
    // We made it, and it may still be alive: that its record can't be found must not pass for its end.
    if (byId || now < end) throw new TokenUnknown();
    return null;
  };
  return ports.revocations.writeToken({ key, tenantIds: tenantsReached(act, key), intentOf }, act.signal);
}

/** @throws InvalidField */
export function keyOfTokenId(tokenId: string): TokenKey {
  const key = parseTokenId(tokenId);
  if (!key) throw new InvalidField('token_id', 'must be an id as IssueToken gave it: tok_ and 26 letters and digits');
  return key;
}

/** The tenants of whose tokens the caller may know: one of any other is unknown. */
function tenantsReached({ caller }: Act, key: TokenKey): readonly string[] {
  const own = caller.tenantIds.filter((tenantId) => tenantId !== platformTenantId);
  // Credentials that act in several tenants, or revoke everything, are at home in none: but an operator may give up its own.
  const mayBeThere = caller.scopes.includes('tokens:revoke_all') || tokenIdOf(key) === caller.credentialId;
  return mayBeThere ? [...own, platformTenantId] : own;
}

function mayRevoke({ caller }: Act, record: TokenRecord): boolean {
  switch (caller.kind) {
    case 'operator':
      return caller.scopes.includes('tokens:revoke');
    case 'identity_service':
      return caller.scopes.includes('tokens:issue') && record.tokenClass === 'token' && record.userHandle !== null;
    case 'app':
      return record.tokenClass === 'token' && record.appId === caller.name;
    default:
      return false;
  }
}

/** The first refresh token of its family, as its row says: what the row says can't keep the token itself from being revoked. */
function rootOf({ audience, lineage }: TokenRecord): readonly string[] {
  const root = audience === refreshAudience ? lineage.at(-1)?.tokenId : undefined;
  return root !== undefined && parseTokenId(root) ? [root] : [];
}

/**
 * Takes one token back, a refresh token with all that came with it (RFC 7009 section 2.1). The ceiling is infinite: nothing
 * derived from the token can be born later.
 */
export function intentOfToken(act: Act, record: TokenRecord, reason: string): RevocationIntent {
  const target = { kind: 'token', key: idOf(record) } as const;
  const keys = new Set([target.key, ...rootOf(record)]);
  return {
    revocationId: newId('rvk'),
    target,
    tenantId: record.tenantId,
    // Under one class for all: what the row says of it is not what decides whether it is taken back.
    cuts: [...keys].map((key) => ({ kind: 'token', key, tokenClass: 'token' }) as const),
    reach: 'forever',
    disables: null,
    includeCredentials: record.tokenClass === 'credential',
    sparedTokenId: null,
    reason,
    actor: actorOf(act),
    idempotencyKey: null,
  };
}
