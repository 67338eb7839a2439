import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import {
  CredentialNotAllowed,
  Disabled,
  InvalidField,
  StoreUnavailable,
  TenantUnknown,
  TtlTooLong,
} from '../errors.ts';
import type { AuditWriter, Birth, TokenWriter, UserHandles } from '../issue/ports.ts';
import { type Asked, recordRefusal } from '../issue/record-refusal.ts';
import type { Registry } from '../register/ports.ts';
import { platformTtlMax } from '../register/registration.ts';
import { idFields, unknownEntry } from '../register/unknown-entry.ts';
import type { Follower } from '../revisions/follower.ts';
import type { TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { Act, CallerKind, Principal } from './act.ts';
import { homeOf } from './home.ts';
import { requireKind, requireScope, requireTenant, scopesOfKind, touchstoneAudience } from './rights.ts';

/** For whom; the tenants of an app and of a resource server are their owners'. */
export type PrincipalRequest =
  | { readonly kind: 'app' | 'resource_server'; readonly name: string }
  | {
      readonly kind: 'identity_service' | 'operator' | 'auditor';
      readonly name: string;
      readonly tenantIds: readonly string[];
    };

export interface CredentialCommand {
  readonly principal: PrincipalRequest;
  /** At least one. */
  readonly scopes: readonly string[];
  /** Seconds. */
  readonly ttl: number;
}

export interface IssuedCredential {
  readonly credential: string;
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface CredentialPorts {
  readonly registry: Registry;
  readonly methods: TokenMethods;
  readonly handles: UserHandles;
  readonly tokens: TokenWriter;
  readonly audit: AuditWriter;
  readonly follower: Pick<Follower, 'watermarks'>;
}

/** What writes a credential, once it is decided. */
export type CredentialWriting = Pick<CredentialPorts, 'methods' | 'handles' | 'tokens'>;

/**
 * Makes a credential for another caller: never for the one that asks, and never with more than that one has.
 * @throws CredentialNotAllowed, CallerNotAllowed, TenantUnknown, AppUnknown, AudienceUnknown, Disabled, TtlTooLong, StoreUnavailable
 */
export async function issueCredential(
  act: Act,
  command: CredentialCommand,
  ports: CredentialPorts,
): Promise<IssuedCredential> {
  try {
    return await issueAuthorised(act, command, ports);
  } catch (error) {
    await recordRefusal(act, askedIn(command), error, ports.audit);
    throw error;
  }
}

const askedIn = ({ principal: { kind, name } }: CredentialCommand): Asked => ({
  appId: kind === 'app' ? name : '',
  audience: touchstoneAudience,
  credentialFor: `${kind}:${name}`,
});

async function issueAuthorised(
  act: Act,
  command: CredentialCommand,
  ports: CredentialPorts,
): Promise<IssuedCredential> {
  const { caller } = act;
  requireKind(caller, 'operator');
  requireScope(caller, 'credentials:issue');
  const principal = await resolvePrincipal(act, command.principal, ports.registry);
  for (const tenantId of principal.tenantIds) requireTenant(caller, tenantId, tenantFields[principal.kind]);
  if (!holdsRights(principal.kind)) await requireTenants(principal, ports.registry);
  const home = homeOf({ ...principal, scopes: command.scopes });
  // It would be dead at its birth.
  if (ports.follower.watermarks.isDead({ kind: 'tenant', key: home })) throw new Disabled('tenant');
  checkNotMore(act, principal, command);
  const birth = await ports.tokens.draw(home, act.signal);
  const expiresAt = birth.now + command.ttl * 1_000;
  if (holdsRights(principal.kind) && expiresAt > caller.credentialExpiresAt) {
    throw new CredentialNotAllowed("it may not outlive its maker's credential", { field: 'ttl' });
  }
  const event = (record: TokenRecord): AuditEvent => ({
    tenantId: record.tenantId,
    actor: actorOf(act),
    act: { type: 'token_issued', record, credentialFor: `${principal.kind}:${principal.name}` },
  });
  return writeCredential(principal, command.scopes, { ...birth, expiresAt }, event, ports);
}

async function resolvePrincipal({ caller }: Act, asked: PrincipalRequest, registry: Registry): Promise<Principal> {
  if ('tenantIds' in asked) return asked;
  const found = await registry.read(asked.kind, asked.name, caller.tenantIds);
  if (!found || !caller.tenantIds.includes(found.entry.tenantId)) throw unknownEntry(asked.kind, idFields[asked.kind]);
  if (found.disabled) throw new Disabled(asked.kind);
  return { ...asked, tenantIds: [found.entry.tenantId] };
}

/** An operator may be made before its tenants are; what serves a tenant may not. @throws TenantUnknown, Disabled */
async function requireTenants(principal: Principal, registry: Registry): Promise<void> {
  for (const tenantId of principal.tenantIds) {
    const found = await registry.read('tenant', tenantId, [tenantId]);
    if (!found) throw new TenantUnknown(tenantFields[principal.kind]);
    if (found.disabled) throw new Disabled('tenant');
  }
}

/** What names the principal's tenants in the request. */
const tenantFields: Readonly<Record<CallerKind, string>> = {
  app: idFields.app,
  resource_server: idFields.resource_server,
  identity_service: 'identity_service.tenant_id',
  operator: 'operator.tenant_ids',
  auditor: 'auditor.tenant_ids',
};

/** Kinds that act on what others own: theirs are narrowed by what their maker has. */
const holdsRights = (kind: CallerKind): boolean => kind === 'operator' || kind === 'auditor';

function checkNotMore({ caller }: Act, principal: Principal, { scopes, ttl }: CredentialCommand): void {
  checkScopes(principal.kind, scopes);
  if (ttl > platformTtlMax) throw new TtlTooLong(platformTtlMax, 'installation');
  if (scopes.includes('tokens:revoke_all')) {
    throw new CredentialNotAllowed('tokens:revoke_all comes from the bootstrap command only', { field: 'scopes' });
  }
  if (principal.kind === 'operator' && principal.name === caller.name) {
    throw new CredentialNotAllowed('nobody makes a credential for itself', { field: 'operator.name' });
  }
  const handedOn = principal.kind === 'operator' ? scopes : scopes.filter((scope) => scope === 'tokens:explain');
  if (!handedOn.every((scope) => caller.scopes.includes(scope))) {
    throw new CredentialNotAllowed('it may not have scopes that its maker lacks', { field: 'scopes' });
  }
}

/** @throws InvalidField, CredentialNotAllowed */
export function checkScopes(kind: CallerKind, scopes: readonly string[], field = 'scopes'): void {
  if (scopes.length === 0) throw new InvalidField(field, 'must name at least one');
  if (!scopes.every((scope) => scopesOfKind[kind].includes(scope))) {
    throw new CredentialNotAllowed(`this kind may have: ${scopesOfKind[kind].join(', ')}`, { field });
  }
}

/** A credential is a token of the default method; its user is its principal, so that all of one can be cut off. */
export async function writeCredential(
  principal: Principal,
  scopes: readonly string[],
  { sequence, now, server, expiresAt }: Birth & { readonly expiresAt: number },
  event: (record: TokenRecord) => AuditEvent,
  ports: CredentialWriting,
): Promise<IssuedCredential> {
  const tenantId = homeOf({ ...principal, scopes });
  const { token, record } = await ports.methods.mint(
    'reference',
    {
      tokenClass: 'credential',
      tenantId,
      appId: principal.kind === 'app' ? principal.name : null,
      userHandle: ports.handles.ofCaller(tenantId, principalSubject(principal)),
      consentId: null,
      audience: touchstoneAudience,
      scopes: [...new Set(scopes)],
      usage: null,
      policyVersion: 0,
      confirmation: null,
      lineage: [],
      sequence,
      drawnOn: server,
      issuedAt: now,
      expiresAt,
    },
    { userId: null, claims: {}, principal },
  );
  if (!(await ports.tokens.insert(record, event(record)))) {
    throw new StoreUnavailable(new Error('the sequence was drawn from another server, or too long ago'));
  }
  return { credential: token, tokenId: idOf(record), expiresAt };
}

/** What a credential's user handle is made from. */
export const principalSubject = ({ kind, name }: Pick<Principal, 'kind' | 'name'>): string => `${kind}:${name}`;

export const isPrincipalSubject = (text: string): boolean =>
  text.includes(':') && Object.hasOwn(scopesOfKind, text.slice(0, text.indexOf(':')));
