import type { Act } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import { Disabled, TenantUnknown } from '../errors.ts';
import type { Registry } from '../register/ports.ts';
import { requireTenantThere } from '../register/unknown-entry.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Presence } from '../validate/presence.ts';
import type { PublicSigningKey, Rotated, SigningAlgorithm, SigningKeyMaker, SigningKeyStore } from './ports.ts';

export interface SigningKeyPorts {
  readonly registry: Registry;
  readonly signingKeys: SigningKeyStore;
  readonly maker: SigningKeyMaker;
  readonly follower: Follower;
}

/** A tenant's keys, the youngest first. @throws CallerNotAllowed, TenantUnknown, StoreUnavailable */
export async function listSigningKeys(
  { caller }: Act,
  tenantId: string,
  { registry, signingKeys, follower }: Omit<SigningKeyPorts, 'maker'>,
): Promise<readonly PublicSigningKey[]> {
  requireOperator(caller, 'registry:read', tenantId);
  await requireTenantThere(registry, tenantId);
  const keys = await signingKeys.listPublic(tenantId);
  return keys.map((key) => (isDead(key, follower) ? { ...key, state: 'revoked' } : key));
}

/**
 * The keys that verifiers need to know, those of all tenants; none that had been revoked by then.
 * @throws Fenced, StoreUnavailable
 */
export async function listPublishedKeys({
  signingKeys,
  follower,
  presence,
}: Pick<SigningKeyPorts, 'signingKeys' | 'follower'> & { readonly presence: Presence }): Promise<
  readonly PublicSigningKey[]
> {
  presence.requireCurrent();
  const keys = await signingKeys.listPublished();
  // They may come from a server that was cut off: what has been revoked, the one in force says.
  await follower.refresh();
  presence.requireCurrent();
  return keys.filter((key) => !isDead(key, follower));
}

/**
 * Whether the key was revoked, or its tenant disabled, with all that it signed. What the database says of that is not under
 * the key's mac; the watermarks are.
 */
export const isDead = (
  { keyId, tenantId }: Pick<PublicSigningKey, 'keyId' | 'tenantId'>,
  { watermarks }: Pick<Follower, 'watermarks'>,
): boolean =>
  watermarks.isDead({ kind: 'signing_key', key: keyId }) || watermarks.isDead({ kind: 'tenant', key: tenantId });

export interface RotateCommand {
  readonly tenantId: string;
  readonly algorithm: SigningAlgorithm;
  readonly reason: string;
}

/**
 * Lets the next key sign, and makes another next one. No token is lost: who was signed by the former key is verified by it.
 * @throws CallerNotAllowed, TenantUnknown, Disabled, TooManySigningKeys, StoreUnavailable
 */
export async function rotateSigningKey(
  act: Act,
  { tenantId, algorithm, reason }: RotateCommand,
  { registry, signingKeys, maker }: SigningKeyPorts,
): Promise<Rotated> {
  requireOperator(act.caller, 'registry:write', tenantId);
  const found = await registry.read('tenant', tenantId, [tenantId]);
  if (!found) throw new TenantUnknown();
  if (found.disabled) throw new Disabled('tenant');
  const pair = await maker.makePair(tenantId, algorithm);
  const rotated = await signingKeys.rotate({ tenantId, pair }, (keyId) => ({
    tenantId,
    actor: actorOf(act),
    act: { type: 'registry_changed', what: 'signing_key', id: keyId, change: 'activated', reason },
  }));
  registry.forget(tenantId);
  return rotated;
}
