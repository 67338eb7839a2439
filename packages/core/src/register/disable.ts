import type { Act } from '../access/act.ts';
import { principalSubject } from '../access/issue-credential.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import type { UserHandles } from '../issue/ports.ts';
import { newId } from '../new-id.ts';
import type { CutTarget } from '../revisions/revision.ts';
import type { Revocation, RevocationIntent, RevocationWriter } from '../revoke/ports.ts';
import type { Registry } from './ports.ts';
import type { RegisteredKind } from './registration.ts';
import { unknownEntry } from './unknown-entry.ts';

export interface DisableCommand {
  readonly what: RegisteredKind;
  readonly id: string;
  readonly reason: string;
}

export interface DisablePorts {
  readonly registry: Registry;
  readonly handles: UserHandles;
  readonly revocations: RevocationWriter;
}

/**
 * Ends a tenant, an app or a resource server for good: nothing is issued any more, and all that was, credentials
 * included, is refused. The acting credential alone is spared. Repeating it returns the first revision.
 * @throws CallerNotAllowed, TenantUnknown, AppUnknown, AudienceUnknown, StoreUnavailable, Overloaded
 */
export async function disable(
  act: Act,
  { what, id, reason }: DisableCommand,
  ports: DisablePorts,
): Promise<Revocation> {
  requireKind(act.caller, 'operator');
  requireScope(act.caller, 'registry:write');
  const found = await ports.registry.read(what, id, act.caller.tenantIds);
  if (!found || !actsIn(act.caller, found.entry.tenantId)) throw unknownEntry(what);
  const { tenantId } = found.entry;
  const revocation = await ports.revocations.write({
    revocationId: newId('rvk'),
    target: { kind: what, key: id },
    tenantId,
    cuts: [{ kind: what, key: id, tokenClass: 'token' }, credentialsOf(what, id, tenantId, ports.handles)],
    reach: 'forever',
    disables: { what, id },
    includeCredentials: true,
    sparedTokenId: act.caller.credentialId,
    reason,
    actor: actorOf(act),
    idempotencyKey: null,
  });
  ports.registry.forget(tenantId);
  return revocation;
}

/** A resource server's credentials are for the audience `touchstone`, not for its own: they are found by whom they are for. */
function credentialsOf(
  what: RegisteredKind,
  id: string,
  tenantId: string,
  handles: UserHandles,
): RevocationIntent['cuts'][number] {
  const target: CutTarget =
    what === 'resource_server'
      ? { kind: 'user', key: handles.ofCaller(tenantId, principalSubject({ kind: what, name: id })) }
      : { kind: what, key: id };
  return { ...target, tokenClass: 'credential' };
}
