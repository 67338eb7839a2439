import type { ConsentAsOf } from '../consents/ports.ts';
import {
  AppUnknown,
  AudienceUnknown,
  ConsentRequired,
  Disabled,
  InvalidField,
  RefreshNotAllowed,
  TenantUnknown,
} from '../errors.ts';
import { type Granted, within } from '../policy/cap.ts';
import { type Complete, capOfApp, capOfConsent, capsBesideApp } from '../policy/caps-of.ts';
import { type OnExcess, refusalOf } from '../policy/refusal.ts';
import type { Registration } from '../register/ports.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Confirmation } from '../tokens/confirmation.ts';
import type { TokenMethodName, Usage } from '../tokens/token-record.ts';

export interface GrantRequest {
  readonly audience: string;
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every limit allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  readonly usage: Usage;
  readonly confirmation: Confirmation | null;
  /** Whether the app is to act for a user. */
  readonly forUser: boolean;
  /** Whether a refresh token is wanted as well. */
  readonly refreshable: boolean;
  /** What that user has permitted the app; null: nothing is named. */
  readonly consent: ConsentAsOf | null;
  /** What may be renewed, all in all; null: nothing is renewed. */
  readonly renewed: readonly string[] | null;
  readonly onExcess: OnExcess;
}

/**
 * What an app may have, out of what is asked: what every cap allows, and no more.
 * @throws InvalidField, TenantUnknown, AppUnknown, AudienceUnknown, Disabled, ConsentRequired, RefreshNotAllowed,
 *   ScopeNotAllowed, MethodNotAllowed, ConfirmationRequired, ConsentTooOld, TtlTooLong
 */
export function decideGrant(registration: Registration, request: GrantRequest): Granted {
  const granted = evaluateGrant(registration, request);
  const refusal = refusalOf(granted, request.onExcess);
  if (refusal) throw refusal;
  return granted;
}

/**
 * The same, where what is beyond a cap is told of instead of refused.
 * @throws InvalidField, TenantUnknown, AppUnknown, AudienceUnknown, Disabled, ConsentRequired, RefreshNotAllowed
 */
export function evaluateGrant(registration: Registration, request: GrantRequest): Granted {
  const known = requireKnown(registration);
  const { forUser, consent, refreshable, renewed, usage } = request;
  if (refreshable && !(known.app.refresh && forUser)) throw new RefreshNotAllowed();
  requireConsent(known, { forUser, consent });
  if (request.scopes.length === 0) throw new InvalidField('scopes', 'must name at least one');
  const caps = [...capsBesideApp(known, usage), capOfApp(known)];
  if (consent) caps.push({ ...capOfConsent(consent.consent, request.audience), ttlMax: secondsLeftOf(consent) });
  if (renewed) caps.push({ by: 'refresh token', scopes: new Set(renewed) });
  return within(caps, { ...request, consentAge: consent && consentAgeOf(consent) });
}

/** Seconds. */
export const secondsLeftOf = ({ consent, now }: ConsentAsOf): number => Math.floor((consent.expiresAt - now) / 1_000);

/** Seconds. */
export const consentAgeOf = ({ consent, now }: ConsentAsOf): number => Math.floor((now - consent.recordedAt) / 1_000);

/** @throws TenantUnknown, AppUnknown, AudienceUnknown, Disabled */
export function requireKnown(registration: Registration, audienceField?: string): Complete {
  const { tenant, app, resourceServer, disabled } = registration;
  if (!tenant) throw new TenantUnknown();
  if (!app) throw new AppUnknown();
  if (!resourceServer) throw new AudienceUnknown(audienceField);
  for (const what of disabled) throw new Disabled(what);
  return registration as Complete;
}

/**
 * What has been disabled stays so, whatever the database says of it: that is not under the entry's mac.
 * @throws Disabled
 */
export function requireAlive(
  { tenant, app, resourceServer }: Registration,
  { watermarks }: Pick<Follower, 'watermarks'>,
): void {
  const keys = { tenant: tenant?.tenantId, app: app?.appId, resource_server: resourceServer?.audience };
  for (const kind of ['tenant', 'app', 'resource_server'] as const) {
    const key = keys[kind];
    if (key !== undefined && watermarks.isDead({ kind, key })) throw new Disabled(kind);
  }
}

/** Nobody acts for a user without that one's consent, but where the tenant lets its own apps do so. @throws ConsentRequired */
export function requireConsent(
  { tenant, app }: Complete,
  { forUser, consent }: Pick<GrantRequest, 'forUser' | 'consent'>,
): void {
  const doesWithout = tenant.firstPartyWithoutConsent && app.hostingType === 'first_party';
  if (forUser && !consent && !doesWithout) throw new ConsentRequired();
}
