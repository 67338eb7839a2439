import type { Act } from '../access/act.ts';
import { actsIn, requireKind } from '../access/rights.ts';
import { RevocationUnknown } from '../errors.ts';
import type { Revocation, RevocationReader } from './ports.ts';

/** Tells of a revocation to those who may revoke its target. @throws CallerNotAllowed, RevocationUnknown, StoreUnavailable */
export async function getRevocation(
  act: Act,
  revocationId: string,
  revocations: RevocationReader,
): Promise<Revocation> {
  requireKind(act.caller, 'operator', 'identity_service');
  const revocation = await revocations.find(revocationId);
  if (!revocation || !maySee(act, revocation)) throw new RevocationUnknown();
  return revocation;
}

function maySee({ caller }: Act, { tenantId, target, includeCredentials }: Revocation): boolean {
  if (tenantId === null) return caller.scopes.includes('tokens:revoke_all');
  if (!actsIn(caller, tenantId)) return false;
  if (caller.kind === 'operator') return caller.scopes.includes('tokens:revoke');
  // An identity service sees what concerns its tenant's users.
  return target.kind === 'user' || target.kind === 'app_user' || (target.kind === 'token' && !includeCredentials);
}
