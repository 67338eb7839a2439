import type { Consent } from '../consents/ports.ts';
import {
  AppUnknown,
  AudienceUnknown,
  ConsentRequired,
  Disabled,
  InvalidField,
  MethodNotAllowed,
  RefreshNotAllowed,
  ScopeNotAllowed,
  TenantUnknown,
  TtlTooLong,
} from '../errors.ts';
import type { Registration } from '../register/ports.ts';
import { type App, type AppGrant, platformTtlMax, type Tenant } from '../register/registration.ts';
import type { TokenMethodName } from '../tokens/token-record.ts';

export interface GrantRequest {
  readonly audience: string;
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every limit allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  /** Whether the app is to act for a user. */
  readonly forUser: boolean;
  /** Whether a refresh token is wanted as well. */
  readonly refreshable: boolean;
  /** What that user has permitted the app; null: nothing is named. */
  readonly consent: Consent | null;
}

export interface Grant {
  readonly scopes: readonly string[];
  /** Seconds. */
  readonly ttl: number;
}

/** Seconds. */
const ttlDefault = 900;

/**
 * What an app may have, out of what is asked: every limit can only narrow, and what is beyond one is refused.
 * @throws InvalidField, TenantUnknown, AppUnknown, AudienceUnknown, Disabled, ConsentRequired, RefreshNotAllowed,
 *   ScopeNotAllowed, MethodNotAllowed, TtlTooLong
 */
export function decideGrant(registration: Registration, request: GrantRequest): Grant {
  const { tenant, app, resourceServer } = registration;
  if (!tenant) throw new TenantUnknown();
  if (!app) throw new AppUnknown();
  if (!resourceServer) throw new AudienceUnknown();
  for (const what of registration.disabled) throw new Disabled(what);
  if (!app.methods.includes(request.method)) throw new MethodNotAllowed();
  if (request.refreshable && !(app.refresh && request.forUser)) throw new RefreshNotAllowed();
  if (request.forUser && !request.consent && !doesWithoutConsent(tenant, app)) throw new ConsentRequired();
  if (request.scopes.length === 0) throw new InvalidField('scopes', 'must name at least one');
  const owned = new Set(resourceServer.scopes.map((scope) => scope.name));
  const granted = scopesAt(app.grants, request.audience);
  const permitted = request.consent ? scopesAt(request.consent.grants, request.audience) : granted;
  for (const scope of request.scopes) {
    if (!owned.has(scope)) throw new ScopeNotAllowed(scope, 'tokens for this audience');
    if (!granted.has(scope)) throw new ScopeNotAllowed(scope, 'the app');
    if (!permitted.has(scope)) throw new ScopeNotAllowed(scope, 'the consent');
  }
  return { scopes: [...new Set(request.scopes)], ttl: decideTtl(registration, request.ttl) };
}

const scopesAt = (grants: readonly AppGrant[], audience: string): ReadonlySet<string> =>
  new Set(grants.find((grant) => grant.audience === audience)?.scopes);

const doesWithoutConsent = (tenant: Tenant, app: App): boolean =>
  tenant.firstPartyWithoutConsent && app.hostingType === 'first_party';

type Limit = readonly [who: string, seconds: number | null | undefined];

/**
 * Seconds: what is asked, or as long as every limit allows, and never over `ttlDefault`.
 * @throws TtlTooLong
 */
export function decideTtl(
  { tenant, app, resourceServer }: Registration,
  asked: number | null,
  more: readonly Limit[] = [],
): number {
  const limits: readonly Limit[] = [
    ['installation', platformTtlMax],
    ['tenant', tenant?.tokenTtlMax],
    ['app', app?.tokenTtlMax],
    ['resource server', resourceServer?.tokenTtlMax],
    ...more,
  ];
  let shortest = ttlDefault;
  for (const [who, limit] of limits) {
    if (asked !== null && limit != null && asked > limit) throw new TtlTooLong(limit, who);
    shortest = Math.min(shortest, limit ?? shortest);
  }
  return asked ?? shortest;
}
