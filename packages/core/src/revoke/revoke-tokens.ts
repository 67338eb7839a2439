import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import type { ConsentStore } from '../consents/ports.ts';
import { AppUnknown, CallerNotAllowed, ConsentUnknown, SigningKeyUnknown } from '../errors.ts';
import type { UserHandles } from '../issue/ports.ts';
import type { PublicKeyReader } from '../keys/ports.ts';
import { newId } from '../new-id.ts';
import type { Registry } from '../register/ports.ts';
import { requireTenantThere } from '../register/unknown-entry.ts';
import { appUserKey, type CutTarget } from '../revisions/revision.ts';
import type { TokenClass } from '../tokens/token-record.ts';
import type { Revocation, RevocationIntent, RevocationWriter } from './ports.ts';

/** What is revoked, as callers name it. */
export type RevocationTarget =
  | { readonly kind: 'user'; readonly tenantId: string; readonly userId: string }
  | { readonly kind: 'app'; readonly appId: string }
  | { readonly kind: 'app_user'; readonly appId: string; readonly userId: string }
  | { readonly kind: 'tenant'; readonly tenantId: string }
  | { readonly kind: 'consent'; readonly consentId: string }
  | { readonly kind: 'signing_key'; readonly signingKeyId: string }
  | { readonly kind: 'all' };

export interface RevokeTokensCommand {
  readonly target: RevocationTarget;
  readonly reason: string;
  readonly idempotencyKey: string;
  readonly includeCredentials: boolean;
}

export interface RevokeTokensPorts {
  readonly registry: Registry;
  readonly handles: UserHandles;
  readonly consents: Pick<ConsentStore, 'find'>;
  readonly signingKeys: PublicKeyReader;
  readonly revocations: RevocationWriter;
}

/** The tenant is null for all. */
type Resolved = CutTarget & { readonly tenantId: string | null };

/**
 * Takes back every token of a target, at the same cost for ten and for a hundred million.
 * @throws CallerNotAllowed, AppUnknown, TenantUnknown, ConsentUnknown, SigningKeyUnknown, IdempotencyKeyReused,
 *   StoreUnavailable, Overloaded
 */
export async function revokeTokens(
  act: Act,
  command: RevokeTokensCommand,
  ports: RevokeTokensPorts,
): Promise<Revocation> {
  authorise(act, command);
  return ports.revocations.write(intentOfTarget(act, await resolve(act, command.target, ports), command));
}

/** Takes back what a target has; a consent, or a signing key, ends with it. @param idempotencyKey null: told by the target. */
export function intentOfTarget(
  act: Act,
  { kind, key, tenantId }: Resolved,
  {
    reason,
    idempotencyKey,
    includeCredentials,
  }: Pick<RevocationIntent, 'reason' | 'idempotencyKey' | 'includeCredentials'>,
): RevocationIntent {
  const ends = kind === 'consent' || kind === 'signing_key';
  const classes: readonly TokenClass[] = includeCredentials ? ['token', 'credential'] : ['token'];
  return {
    revocationId: newId('rvk'),
    target: { kind, key },
    tenantId,
    cuts: classes.map((tokenClass) => ({ kind, key, tokenClass })),
    // Nothing can be born under it any more.
    reach: ends ? 'forever' : 'issued',
    disables: ends ? { what: kind, id: key } : null,
    includeCredentials,
    // A full revocation must not stop the recovery from it.
    sparedTokenId: includeCredentials ? act.caller.credentialId : null,
    reason,
    actor: actorOf(act),
    idempotencyKey,
  };
}

function authorise({ caller }: Act, { target, includeCredentials }: RevokeTokensCommand): void {
  requireKind(caller, 'operator', 'identity_service');
  if (caller.kind === 'operator') {
    requireScope(caller, target.kind === 'all' ? 'tokens:revoke_all' : 'tokens:revoke');
    return;
  }
  requireScope(caller, target.kind === 'consent' ? 'consents:write' : 'tokens:issue');
  if (target.kind !== 'user' && target.kind !== 'app_user' && target.kind !== 'consent') {
    throw new CallerNotAllowed("an identity service revokes what belongs to its tenant's users", { field: 'target' });
  }
  if (includeCredentials) {
    throw new CallerNotAllowed('only an operator revokes credentials', { field: 'include_credentials' });
  }
}

async function resolve(
  act: Act,
  target: RevocationTarget,
  { registry, handles, consents, signingKeys }: RevokeTokensPorts,
): Promise<Resolved> {
  switch (target.kind) {
    case 'all':
      return { kind: 'all', key: '', tenantId: null };
    case 'tenant':
      requireTenant(act.caller, target.tenantId, 'target.tenant.tenant_id');
      await requireTenantThere(registry, target.tenantId, 'target.tenant.tenant_id');
      return { kind: 'tenant', key: target.tenantId, tenantId: target.tenantId };
    case 'user': {
      const { tenantId, userId } = target;
      requireTenant(act.caller, tenantId, 'target.user.tenant_id');
      return { kind: 'user', key: (await handles.of(tenantId)).handleOf(userId), tenantId };
    }
    case 'app':
      return { kind: 'app', key: target.appId, tenantId: await ownerOf(act, target, registry) };
    case 'consent': {
      const found = await consents.find(target.consentId, act.caller.tenantIds);
      if (!found || !actsIn(act.caller, found.consent.tenantId)) throw new ConsentUnknown('target.consent_id');
      return { kind: 'consent', key: target.consentId, tenantId: found.consent.tenantId };
    }
    case 'signing_key': {
      const found = await signingKeys.findPublic(target.signingKeyId, act.caller.tenantIds);
      if (!found || !actsIn(act.caller, found.tenantId)) throw new SigningKeyUnknown();
      return { kind: 'signing_key', key: found.keyId, tenantId: found.tenantId };
    }
    case 'app_user': {
      const { appId, userId } = target;
      const tenantId = await ownerOf(act, target, registry);
      return { kind: 'app_user', key: appUserKey(appId, (await handles.of(tenantId)).handleOf(userId)), tenantId };
    }
  }
}

/** Another tenant's app is as unknown as none. */
async function ownerOf(
  { caller }: Act,
  { kind, appId }: Extract<RevocationTarget, { kind: 'app' | 'app_user' }>,
  registry: Registry,
): Promise<string> {
  const found = await registry.read('app', appId, caller.tenantIds);
  if (!found || !actsIn(caller, found.entry.tenantId)) throw new AppUnknown(`target.${kind}.app_id`);
  return found.entry.tenantId;
}
