import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireOperator, requireScope } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import type { ConsentAsOf, ConsentStore, ConsentsFound } from '../consents/ports.ts';
import { ErasureUnknown, NotDisabled, TenantUnknown } from '../errors.ts';
import type { UserHandles } from '../issue/ports.ts';
import { newId } from '../new-id.ts';
import type { Registry } from '../register/ports.ts';
import { requireTenantThere } from '../register/unknown-entry.ts';
import type { Head } from '../revisions/revision.ts';
import type { RevocationWriter } from '../revoke/ports.ts';
import { intentOfTarget } from '../revoke/revoke-tokens.ts';
import type { Erasure, ErasureStore } from './ports.ts';

export interface ErasePorts {
  readonly registry: Registry;
  readonly handles: UserHandles;
  readonly consents: Pick<ConsentStore, 'list'>;
  readonly revocations: RevocationWriter;
  readonly erasures: ErasureStore;
}

export interface EraseUserCommand {
  readonly tenantId: string;
  readonly userId: string;
  readonly reason: string;
}

const pageSize = 200;

/**
 * Ends all that a user has - consents first, so that nothing is born under one any more -, and asks for the rows of it to be
 * deleted. Repeating it does it again.
 * @throws CallerNotAllowed, TenantUnknown, StoreUnavailable, Overloaded
 */
export async function eraseUser(
  act: Act,
  { tenantId, userId, reason }: EraseUserCommand,
  { registry, handles, consents, revocations, erasures }: ErasePorts,
): Promise<{ readonly erasureId: string; readonly head: Head }> {
  requireOperator(act.caller, 'tokens:revoke', tenantId);
  await requireTenantThere(registry, tenantId);
  const userHandle = (await handles.of(tenantId)).handleOf(userId);
  const why = { reason, includeCredentials: false };
  const endConsents = async (isToEnd: (one: ConsentAsOf) => boolean): Promise<Head[]> => {
    const heads: Head[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page: ConsentsFound = await consents.list(tenantId, userHandle, after, pageSize);
      const ends = page.consents
        .filter(isToEnd)
        .map(({ consent }) => ({ kind: 'consent', key: consent.consentId, tenantId }) as const);
      const ended = ends.map((end) => revocations.write(intentOfTarget(act, end, { ...why, idempotencyKey: null })));
      heads.push(...(await Promise.all(ended)).map(({ head }) => head));
      after = page.next;
    }
    return heads;
  };
  const before = new Set<string>();
  await endConsents(({ consent, isWithdrawn }) => {
    before.add(consent.consentId);
    return !isWithdrawn;
  });
  // A user may come back, and be erased again.
  const user = { kind: 'user', key: userHandle, tenantId } as const;
  const again = { ...why, idempotencyKey: newId('rvk') };
  const { ceiling, head, recordedAt } = await revocations.write(intentOfTarget(act, user, again));
  // One that was recorded while they were looked through may have been used before the user's tokens ended; and one that somebody
  // else has withdrawn since ended after them: to end it again tells when.
  const meanwhile = await endConsents(
    ({ consent }) => consent.recordedAt <= recordedAt && !before.has(consent.consentId),
  );
  const last = meanwhile.reduce((a, b) => (b.revision > a.revision ? b : a), head);
  const erasureId = newId('era');
  await erasures.request(
    { erasureId, tenantId, userHandle, revocation: { ceiling, head: last } },
    {
      tenantId,
      actor: actorOf(act),
      act: { type: 'registry_changed', what: 'user', id: userHandle, change: 'erased', reason },
    },
  );
  return { erasureId, head: last };
}

/**
 * Has all rows of a tenant deleted that has been disabled, and the key with them that its users' handles are made under.
 * @throws CallerNotAllowed, TenantUnknown, NotDisabled, StoreUnavailable
 */
export async function eraseTenant(
  act: Act,
  { tenantId, reason }: { readonly tenantId: string; readonly reason: string },
  { registry, erasures }: Pick<ErasePorts, 'registry' | 'erasures'>,
): Promise<{ readonly erasureId: string }> {
  requireOperator(act.caller, 'tokens:revoke', tenantId);
  const found = await registry.read('tenant', tenantId, [tenantId]);
  if (!found) throw new TenantUnknown();
  if (!found.disabled) throw new NotDisabled('tenant');
  const erasureId = newId('era');
  await erasures.request(
    { erasureId, tenantId, userHandle: null, revocation: null },
    {
      tenantId,
      actor: actorOf(act),
      act: { type: 'registry_changed', what: 'tenant', id: tenantId, change: 'erased', reason },
    },
  );
  return { erasureId };
}

/** @throws CallerNotAllowed, ErasureUnknown, StoreUnavailable */
export async function getErasure(
  act: Act,
  erasureId: string,
  { erasures }: Pick<ErasePorts, 'erasures'>,
): Promise<Erasure> {
  requireKind(act.caller, 'operator');
  requireScope(act.caller, 'tokens:revoke');
  const found = await erasures.find(erasureId, act.caller.tenantIds);
  if (!found || !actsIn(act.caller, found.tenantId)) throw new ErasureUnknown();
  return found;
}
