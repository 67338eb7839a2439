import type { Act } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { refreshAudience, requireOperator, touchstoneAudience } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import { AlreadyExists, AudienceUnknown, Disabled, EtagStale, InvalidField, ScopeNotAllowed } from '../errors.ts';
import type { CallerKeys, EncryptionKeys, TenantKeyMaker } from '../keys/ports.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Change, Head } from '../revisions/revision.ts';
import { checkIdentities } from './check-identities.ts';
import type { Registration, Registry, RegistryWriter } from './ports.ts';
import { type App, type Registered, type RegisteredKind, type ResourceServer, registeredId } from './registration.ts';
import { idFields, requireTenantThere, unknownEntry } from './unknown-entry.ts';

export interface RegisterPorts {
  readonly registry: Registry;
  readonly entries: RegistryWriter;
  readonly encryptionKeys: EncryptionKeys;
  readonly tenantKeys: TenantKeyMaker;
  readonly callerKeys: CallerKeys;
  readonly follower: Pick<Follower, 'watermarks'>;
}

/**
 * Registers an entry. Returns its etag.
 * @throws CallerNotAllowed, InvalidField, AudienceUnknown, ScopeNotAllowed, CredentialNotAllowed, AlreadyExists,
 *   TenantUnknown, Disabled, StoreUnavailable
 */
export async function createEntry(act: Act, registered: Registered, ports: RegisterPorts): Promise<string> {
  const { what, entry } = registered;
  requireOperator(act.caller, 'registry:write', entry.tenantId, `${what}.tenant_id`);
  if (reserved[what].includes(registeredId(what, entry))) {
    throw new InvalidField(idFields[what], 'must be another name: this one is taken');
  }
  // A database that was restored may have forgotten whose name it was; the history has not that nothing of it is honoured.
  if (ports.follower.watermarks.isDead({ kind: what, key: registeredId(what, entry) })) throw new AlreadyExists(what);
  await requireNew(registered, ports.registry);
  await check(registered, ports);
  await checkIdentities(act, registered, null, ports.callerKeys);
  const tenantKey = what === 'tenant' ? await ports.tenantKeys.create(entry.tenantId) : null;
  const etag = await ports.entries.create(registered, changeOf(act, registered, 'created'), tenantKey);
  ports.registry.forget(entry.tenantId);
  return etag;
}

/** Who creates it again hears so, whatever has become of what it refers to. @throws AlreadyExists, TenantUnknown */
async function requireNew({ what, entry }: Registered, registry: Registry): Promise<void> {
  const { tenantId } = entry;
  if (await registry.read(what, registeredId(what, entry), [tenantId])) throw new AlreadyExists(what);
  if (what !== 'tenant') await requireTenantThere(registry, tenantId, `${what}.tenant_id`);
}

/** Names that mean something else. */
const reserved: Readonly<Record<RegisteredKind, readonly string[]>> = {
  tenant: [platformTenantId],
  app: [],
  resource_server: [touchstoneAudience, refreshAudience],
};

/**
 * Replaces an entry by another version of it. Once this resolves, nothing is issued that it does not allow, and a fully
 * consistent validation shows no more of a token than it says.
 * @param etag of the version that it replaces.
 * @throws CallerNotAllowed, InvalidField, AudienceUnknown, ScopeNotAllowed, CredentialNotAllowed, AppUnknown, TenantUnknown,
 *   Disabled, EtagStale, StoreUnavailable
 */
export async function updateEntry(
  act: Act,
  registered: Registered,
  etag: string,
  ports: RegisterPorts,
): Promise<{ readonly etag: string; readonly head: Head | null }> {
  const { what, entry } = registered;
  requireOperator(act.caller, 'registry:write', entry.tenantId, `${what}.tenant_id`);
  const found = await ports.registry.read(what, registeredId(what, entry), [entry.tenantId]);
  if (found?.entry.tenantId !== entry.tenantId) throw unknownEntry(what, idFields[what]);
  if (found.disabled) throw new Disabled(what);
  if (found.etag !== etag) throw new EtagStale();
  await check(registered, ports);
  const before = { what, entry: found.entry } as Registered;
  await checkIdentities(act, registered, before, ports.callerKeys);
  const event = changeOf(act, registered, 'updated');
  const written = await ports.entries.replace(registered, etag, event, answeredOtherwise(before, registered));
  ports.registry.forget(entry.tenantId);
  return written;
}

/** What is answered otherwise of tokens that are there, now that the entry is another; null: nothing. */
function answeredOtherwise(before: Registered, { what, entry }: Registered): Change | null {
  if (what === 'resource_server') return { releases: [entry.audience] };
  if (what === 'tenant' || before.what !== 'app') return null;
  const { clientType, hostingType, environment } = before.entry;
  const isAlike =
    entry.clientType === clientType && entry.hostingType === hostingType && entry.environment === environment;
  // Rules of the tenant's policy that hold for issued tokens may be about it from now on, or no more.
  return isAlike ? null : { policies: [entry.tenantId] };
}

const changeOf = (act: Act, registered: Registered, change: 'created' | 'updated'): AuditEvent => ({
  tenantId: registered.entry.tenantId,
  actor: actorOf(act),
  act: {
    type: 'registry_changed',
    what: registered.what,
    id: registeredId(registered.what, registered.entry),
    change,
    reason: '',
  },
});

/** Whether the entry fits the others of its tenant. */
async function check({ what, entry }: Registered, ports: RegisterPorts): Promise<void> {
  if (what === 'app') await checkApp(entry, ports.registry);
  if (what === 'resource_server') await checkResourceServer(entry, ports);
}

/** Of an entry, all together: lists tell of them entry by entry. */
const scopesMax = 2_000;

async function checkApp({ appId, tenantId, grants }: App, registry: Registry): Promise<void> {
  if (new Set(grants.map(({ audience }) => audience)).size < grants.length) {
    throw new InvalidField('app.grants', 'must each be for another audience');
  }
  if (grants.reduce((sum, { scopes }) => sum + scopes.length, 0) > scopesMax) {
    throw new InvalidField('app.grants', `must have at most ${scopesMax} scopes, all together`);
  }
  // What is remembered may be older than what the operator has just done elsewhere.
  registry.forget(tenantId);
  for (const { audience, scopes } of grants) {
    requireScopes('app.grants', await registry.find(tenantId, appId, audience), scopes);
  }
}

/** @throws AudienceUnknown, Disabled, ScopeNotAllowed unless the resource server has the scopes. */
function requireScopes(field: string, { resourceServer, disabled }: Registration, scopes: readonly string[]): void {
  if (!resourceServer) throw new AudienceUnknown(field);
  if (disabled.has('resource_server')) throw new Disabled('resource_server');
  const missing = scopes.find((scope) => !resourceServer.scopes.some((owned) => owned.name === scope));
  if (missing !== undefined) throw new ScopeNotAllowed(missing, 'resource server', field);
}

async function checkResourceServer(
  { audience, tenantId, scopes, exchanges, encryptionJwk }: ResourceServer,
  { registry, encryptionKeys }: RegisterPorts,
): Promise<void> {
  const field = 'resource_server.exchanges';
  if (new Set(scopes.map(({ name }) => name)).size < scopes.length) {
    throw new InvalidField('resource_server.scopes', 'must each have a name of its own');
  }
  if (encryptionJwk !== null && !(await encryptionKeys.isUsable(encryptionJwk))) {
    const rule = 'must be a public key that can be encrypted to, as a JWK whose `use` and `alg` say nothing else';
    throw new InvalidField('resource_server.encryption_jwk', rule);
  }
  if (new Set(exchanges.map((edge) => edge.audience)).size < exchanges.length) {
    throw new InvalidField(field, 'must each lead to another audience');
  }
  if (exchanges.reduce((sum, edge) => sum + edge.scopes.length, 0) > scopesMax) {
    throw new InvalidField(field, `must map at most ${scopesMax} scopes, all together`);
  }
  for (const edge of exchanges) {
    if (edge.audience === audience) {
      throw new InvalidField(field, 'must lead to another audience than its own');
    }
    const strange = edge.scopes.find(({ from }) => !scopes.some(({ name }) => name === from));
    if (strange) throw new ScopeNotAllowed(strange.from, 'resource server', field);
    const target = await registry.find(tenantId, '', edge.audience);
    requireScopes(
      field,
      target,
      edge.scopes.map(({ to }) => to),
    );
  }
}
