import { CallerNotAllowed } from '../errors.ts';
import type { Caller, CallerKind } from './act.ts';

/** The audience of credentials: Touchstone itself. No resource server can be registered by this name. */
export const touchstoneAudience = 'touchstone';
/** The audience of refresh tokens: nobody's. No resource server can be registered by this name. */
export const refreshAudience = 'touchstone:refresh';

/** The scopes that a credential of each kind may have. `tokens:revoke_all` makes an operator a platform operator. */
export const scopesOfKind: Readonly<Record<CallerKind, readonly string[]>> = {
  identity_service: ['tokens:issue', 'consents:write'],
  app: ['tokens:issue:self'],
  resource_server: ['tokens:validate', 'tokens:explain'],
  operator: [
    'registry:read',
    'registry:write',
    'credentials:issue',
    'tokens:revoke',
    'tokens:explain',
    'drills:run',
    'tokens:revoke_all',
  ],
  auditor: ['audit:read'],
};

/**
 * What is done by these outlasts who does it: credentials are made, identities registered, consents recorded, users erased. Who
 * calls an RPC that takes nothing else is judged by all that was revoked before the call.
 */
export const lastingScopes: readonly string[] = [
  'credentials:issue',
  'registry:write',
  'consents:write',
  'tokens:revoke',
];

/** @throws CallerNotAllowed unless the caller is of one of these kinds. */
export function requireKind(caller: Caller, ...kinds: readonly CallerKind[]): void {
  if (!kinds.includes(caller.kind)) {
    throw new CallerNotAllowed(`this takes a credential of: ${kinds.join(', ')}`, { kind: caller.kind });
  }
}

/** @throws CallerNotAllowed unless the credential has the scope. */
export function requireScope(caller: Caller, scope: string): void {
  if (!caller.scopes.includes(scope)) {
    throw new CallerNotAllowed(`this takes a credential with the scope ${scope}`, { scope });
  }
}

/**
 * The same answer whether the tenant exists or not: nobody learns of tenants that are not theirs.
 * @throws CallerNotAllowed unless the credential names the tenant.
 */
export function requireTenant(caller: Caller, tenantId: string, field = 'tenant_id'): void {
  if (!caller.tenantIds.includes(tenantId)) {
    throw new CallerNotAllowed('the credential does not name this tenant', { field });
  }
}

/** @throws CallerNotAllowed unless it is an operator, whose credential has the scope and names the tenant. */
export function requireOperator(caller: Caller, scope: string, tenantId: string, field = 'tenant_id'): void {
  requireKind(caller, 'operator');
  requireScope(caller, scope);
  requireTenant(caller, tenantId, field);
}

/** Whether the caller may act in the tenant. */
export const actsIn = (caller: Caller, tenantId: string): boolean => caller.tenantIds.includes(tenantId);
