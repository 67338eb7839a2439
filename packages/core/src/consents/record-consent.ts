import type { Act } from '../access/act.ts';
import { requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import { IdempotencyKeyReused, InvalidField, ScopeNotAllowed } from '../errors.ts';
import { requireKnown } from '../issue/decide-grant.ts';
import type { UserHandles } from '../issue/ports.ts';
import { requireUserId } from '../issue/user-id.ts';
import { newId } from '../new-id.ts';
import { scopesAt } from '../policy/caps-of.ts';
import type { Registry } from '../register/ports.ts';
import type { AppGrant } from '../register/registration.ts';
import type { Consent, ConsentAsOf, ConsentKeyMaker, ConsentStore } from './ports.ts';

export interface RecordConsentCommand {
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  /** At least one, each of another audience. */
  readonly grants: readonly AppGrant[];
  /** Seconds. */
  readonly ttl: number;
  readonly idempotencyKey: string;
}

export interface RecordConsentPorts {
  readonly registry: Registry;
  readonly handles: UserHandles;
  readonly consents: ConsentStore;
  readonly consentKeys: ConsentKeyMaker;
}

/**
 * Records that a user permits an app to act for them, within what the app may ask for. Repeating it returns the first one.
 * @throws CallerNotAllowed, InvalidField, TenantUnknown, AppUnknown, AudienceUnknown, ScopeNotAllowed, Disabled,
 *   IdempotencyKeyReused, StoreUnavailable
 */
export async function recordConsent(
  act: Act,
  command: RecordConsentCommand,
  ports: RecordConsentPorts,
): Promise<ConsentAsOf> {
  const { tenantId, appId, userId, grants, ttl, idempotencyKey } = command;
  requireKind(act.caller, 'identity_service');
  requireScope(act.caller, 'consents:write');
  requireTenant(act.caller, tenantId);
  requireUserId(userId, appId);
  const userHandle = (await ports.handles.of(tenantId)).handleOf(userId);
  const asked = requestText({ appId, userHandle, grants }, ttl * 1_000);
  // What the app may ask for can have changed since: a consent that has been recorded is not decided anew.
  const first = await ports.consents.findByKey(tenantId, idempotencyKey);
  if (first) return requireAsked(first, asked);
  await checkGrants(command, ports.registry);
  const consentId = newId('con');
  const key = await ports.consentKeys.create(consentId);
  const recorded = await ports.consents.record(
    { consentId, tenantId, appId, userHandle, grants, ttl, idempotencyKey, key },
    {
      tenantId,
      actor: actorOf(act),
      act: { type: 'consent_recorded', consentId, appId, userHandle, grants, ttl },
    },
  );
  return requireAsked(recorded, asked);
}

/** @throws IdempotencyKeyReused where it is not what is asked for now. */
function requireAsked(recorded: ConsentAsOf, asked: string): ConsentAsOf {
  const { consent } = recorded;
  if (requestText(consent, consent.expiresAt - consent.recordedAt) !== asked) throw new IdempotencyKeyReused();
  return recorded;
}

/** What tells one request from another under the same idempotency key. */
const requestText = ({ appId, userHandle, grants }: Pick<Consent, 'appId' | 'userHandle' | 'grants'>, life: number) =>
  JSON.stringify([appId, userHandle, grants.map(({ audience, scopes }) => [audience, scopes]), life]);

async function checkGrants({ tenantId, appId, grants }: RecordConsentCommand, registry: Registry): Promise<void> {
  if (new Set(grants.map(({ audience }) => audience)).size < grants.length) {
    throw new InvalidField('grants', 'must each have an audience of its own');
  }
  // What is remembered may be old, and a consent is for long.
  registry.forget(tenantId);
  for (const { audience, scopes } of grants) {
    const { app } = requireKnown(await registry.find(tenantId, appId, audience), 'grants');
    const permitted = scopesAt(app.grants, audience);
    const missing = scopes.find((scope) => !permitted.has(scope));
    if (missing !== undefined) throw new ScopeNotAllowed(missing, 'app', 'grants');
  }
}
