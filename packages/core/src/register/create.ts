import type { Act } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { requireKind, requireScope, requireTenant, touchstoneAudience } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import { AudienceUnknown, Disabled, InvalidField, ScopeNotAllowed } from '../errors.ts';
import type { Registry } from './ports.ts';
import { type App, type Registered, type ResourceServer, registeredId, type Tenant } from './registration.ts';

/** @throws CallerNotAllowed, InvalidField, AlreadyExists, StoreUnavailable */
export async function createTenant(act: Act, tenant: Tenant, registry: Registry): Promise<void> {
  if (tenant.tenantId === platformTenantId)
    throw new InvalidField('tenant.tenant_id', 'must be another name: this one is taken');
  await create(act, { what: 'tenant', entry: tenant }, registry);
}

/** @throws CallerNotAllowed, AudienceUnknown, ScopeNotAllowed, AlreadyExists, TenantUnknown, Disabled, StoreUnavailable */
export async function createApp(act: Act, app: App, registry: Registry): Promise<void> {
  authorise(act, app.tenantId);
  for (const grant of app.grants) {
    const { resourceServer, disabled } = await registry.find(app.tenantId, app.appId, grant.audience);
    if (!resourceServer) throw new AudienceUnknown();
    if (disabled.has('resource_server')) throw new Disabled('resource_server');
    const missing = grant.scopes.find((scope) => !resourceServer.scopes.some((owned) => owned.name === scope));
    if (missing !== undefined) throw new ScopeNotAllowed(missing, 'tokens for this audience');
  }
  await create(act, { what: 'app', entry: app }, registry);
}

/** @throws CallerNotAllowed, InvalidField, AlreadyExists, TenantUnknown, Disabled, StoreUnavailable */
export async function createResourceServer(
  act: Act,
  resourceServer: ResourceServer,
  registry: Registry,
): Promise<void> {
  const names = resourceServer.scopes.map((scope) => scope.name);
  if (new Set(names).size < names.length)
    throw new InvalidField('resource_server.scopes', 'must each have a name of its own');
  if (resourceServer.audience === touchstoneAudience) {
    throw new InvalidField('resource_server.audience', 'must be another name: this one is taken');
  }
  await create(act, { what: 'resource_server', entry: resourceServer }, registry);
}

async function create(act: Act, registered: Registered, registry: Registry): Promise<void> {
  authorise(act, registered.entry.tenantId);
  const event: AuditEvent = {
    tenantId: registered.entry.tenantId,
    actor: actorOf(act),
    act: {
      type: 'registry_changed',
      what: registered.what,
      id: registeredId(registered),
      change: 'created',
      reason: '',
    },
  };
  await registry.create(registered, event);
  registry.forget(registered.entry.tenantId);
}

function authorise({ caller }: Act, tenantId: string): void {
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:write');
  requireTenant(caller, tenantId);
}
