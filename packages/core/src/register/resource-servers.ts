import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { actorOf } from '../audit/audit-event.ts';
import { AudienceUnknown, Disabled, EtagStale } from '../errors.ts';
import type { Head } from '../revisions/revision.ts';
import { authorise, checkResourceServer } from './create.ts';
import type { Registry, ResourceServerWriter, Versioned } from './ports.ts';
import type { ResourceServer } from './registration.ts';

/** @throws CallerNotAllowed, AudienceUnknown, StoreUnavailable */
export async function getResourceServer(
  { caller }: Act,
  audience: string,
  registry: Registry,
): Promise<Versioned<ResourceServer>> {
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:read');
  const found = await registry.resourceServer(audience);
  if (!found || !actsIn(caller, found.entry.tenantId)) throw new AudienceUnknown();
  return found;
}

export interface UpdatePorts {
  readonly registry: Registry;
  readonly resourceServers: ResourceServerWriter;
}

/**
 * Replaces an entry by another version of it. Once this resolves, a fully consistent validation shows no more than it says.
 * @throws CallerNotAllowed, InvalidField, AudienceUnknown, ScopeNotAllowed, Disabled, EtagStale, StoreUnavailable
 */
export async function updateResourceServer(
  act: Act,
  { entry, etag }: Versioned<ResourceServer>,
  { registry, resourceServers }: UpdatePorts,
): Promise<{ readonly head: Head; readonly etag: string }> {
  authorise(act, entry.tenantId);
  const found = await registry.resourceServer(entry.audience);
  if (found?.entry.tenantId !== entry.tenantId) throw new AudienceUnknown();
  if (found.disabled) throw new Disabled('resource_server');
  if (found.etag !== etag) throw new EtagStale();
  await checkResourceServer(entry, registry);
  const { tenantId, audience: id } = entry;
  const written = await resourceServers.replace(entry, etag, {
    tenantId,
    actor: actorOf(act),
    act: { type: 'registry_changed', what: 'resource_server', id, change: 'updated', reason: '' },
  });
  registry.forget(tenantId);
  return written;
}
