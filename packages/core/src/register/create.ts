import type { Act } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { refreshAudience, requireKind, requireScope, requireTenant, touchstoneAudience } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import { AudienceUnknown, Disabled, InvalidField, ScopeNotAllowed } from '../errors.ts';
import type { Registration, Registry } from './ports.ts';
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
  for (const { audience, scopes } of app.grants) {
    requireScopes(await registry.find(app.tenantId, app.appId, audience), scopes);
  }
  await create(act, { what: 'app', entry: app }, registry);
}

/** @throws AudienceUnknown, Disabled, ScopeNotAllowed unless the resource server has the scopes. */
function requireScopes({ resourceServer, disabled }: Registration, scopes: readonly string[]): void {
  if (!resourceServer) throw new AudienceUnknown();
  if (disabled.has('resource_server')) throw new Disabled('resource_server');
  const missing = scopes.find((scope) => !resourceServer.scopes.some((owned) => owned.name === scope));
  if (missing !== undefined) throw new ScopeNotAllowed(missing, 'tokens for this audience');
}

/** @throws InvalidField, AudienceUnknown, Disabled, ScopeNotAllowed */
export async function checkResourceServer(
  { audience, tenantId, scopes, exchanges }: ResourceServer,
  registry: Registry,
): Promise<void> {
  if (new Set(scopes.map(({ name }) => name)).size < scopes.length) {
    throw new InvalidField('resource_server.scopes', 'must each have a name of its own');
  }
  if (new Set(exchanges.map((edge) => edge.audience)).size < exchanges.length) {
    throw new InvalidField('resource_server.exchanges', 'must each lead to another audience');
  }
  for (const edge of exchanges) {
    if (edge.audience === audience) {
      throw new InvalidField('resource_server.exchanges', 'must lead to another audience than its own');
    }
    const strange = edge.scopes.find(({ from }) => !scopes.some(({ name }) => name === from));
    if (strange) throw new ScopeNotAllowed(strange.from, 'tokens for this audience');
    const target = await registry.find(tenantId, '', edge.audience);
    requireScopes(
      target,
      edge.scopes.map(({ to }) => to),
    );
  }
}

/**
 * @throws CallerNotAllowed, InvalidField, AudienceUnknown, ScopeNotAllowed, AlreadyExists, TenantUnknown, Disabled,
 *   StoreUnavailable
 */
export async function createResourceServer(
  act: Act,
  resourceServer: ResourceServer,
  registry: Registry,
): Promise<void> {
  authorise(act, resourceServer.tenantId);
  if (resourceServer.audience === touchstoneAudience || resourceServer.audience === refreshAudience) {
    throw new InvalidField('resource_server.audience', 'must be another name: this one is taken');
  }
  await checkResourceServer(resourceServer, registry);
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

/** @throws CallerNotAllowed */
export function authorise({ caller }: Act, tenantId: string): void {
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:write');
  requireTenant(caller, tenantId);
}
