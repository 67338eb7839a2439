import type { Act } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { actsIn, requireKind } from '../access/rights.ts';
import { RevocationUnknown } from '../errors.ts';
import type { CensusReader, Progress, Revocation, RevocationReader } from './ports.ts';

/** A revocation, and how far it has come. */
export interface FollowedRevocation {
  readonly revocation: Revocation;
  readonly progress: Progress;
}

export interface GetRevocationPorts {
  readonly revocations: RevocationReader;
  readonly census: CensusReader;
}

/** Tells of a revocation to those who may revoke its target. @throws CallerNotAllowed, RevocationUnknown, StoreUnavailable */
export async function getRevocation(
  act: Act,
  revocationId: string,
  { revocations, census }: GetRevocationPorts,
): Promise<FollowedRevocation> {
  requireKind(act.caller, 'operator', 'identity_service');
  const revocation = await revocations.find(revocationId, tenantsSeen(act));
  if (!revocation || !maySee(act, revocation)) throw new RevocationUnknown();
  return { revocation, progress: await census.progressOf(revocation.head) };
}

/** What revokes the tokens of all tenants is the platform's own. */
const tenantsSeen = ({ caller }: Act): readonly string[] =>
  caller.scopes.includes('tokens:revoke_all') ? [...caller.tenantIds, platformTenantId] : caller.tenantIds;

function maySee({ caller }: Act, { tenantId, target, includeCredentials }: Revocation): boolean {
  if (tenantId === null) return caller.scopes.includes('tokens:revoke_all');
  // A credential that acts in several tenants, or revokes everything, is at home in none.
  const isThere =
    tenantId === platformTenantId ? caller.scopes.includes('tokens:revoke_all') : actsIn(caller, tenantId);
  if (!isThere) return false;
  if (caller.kind === 'operator') return caller.scopes.includes('tokens:revoke');
  // An identity service sees what concerns its tenant's users: those of its scopes that would let it do the same.
  // Whether a token had a user is not kept.
  if (target.kind === 'consent') return caller.scopes.includes('consents:write');
  const ofUsers =
    target.kind === 'user' || target.kind === 'app_user' || (target.kind === 'token' && !includeCredentials);
  return ofUsers && caller.scopes.includes('tokens:issue');
}
