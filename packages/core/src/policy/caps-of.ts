import type { Consent } from '../consents/ports.ts';
import type { Registration } from '../register/ports.ts';
import {
  type App,
  type AppGrant,
  platformTtlMax,
  type ResourceServer,
  type Sensitivity,
  type Tenant,
} from '../register/registration.ts';
import type { Usage } from '../tokens/token-record.ts';
import type { Cap } from './cap.ts';
import type { Rule } from './policy.ts';

/** A registration of which every entry is there. */
export interface Complete extends Registration {
  readonly tenant: Tenant;
  readonly app: App;
  readonly resourceServer: ResourceServer;
}

/** What limits an app's tokens, beside the app's own registration and the consent of its user. */
export function capsBesideApp(registration: Complete, usage: Usage): readonly Cap[] {
  const known = remembered.get(registration) ?? new Map<Usage, readonly Cap[]>();
  remembered.set(registration, known);
  const caps = known.get(usage) ?? [...capsOfEntries(registration), ...capsOfPolicy(registration, usage)];
  known.set(usage, caps);
  return caps;
}

/** Registrations are remembered, for as long as they hold; so is what follows from them. */
const remembered = new WeakMap<Registration, Map<Usage, readonly Cap[]>>();

const capsOfEntries = ({ tenant, resourceServer }: Complete): Cap[] => [
  { by: 'installation', ttlMax: platformTtlMax },
  { by: 'tenant', ttlMax: tenant.tokenTtlMax },
  {
    by: 'resource server',
    scopes: new Set(resourceServer.scopes.map(({ name }) => name)),
    ttlMax: resourceServer.tokenTtlMax,
  },
  ...resourceServer.scopes
    .filter(({ tokenTtlMax }) => tokenTtlMax !== null)
    .map(({ name, tokenTtlMax }) => ({ by: `scope ${name}`, ofScope: name, ttlMax: tokenTtlMax })),
];

export const capOfApp = ({ app, resourceServer }: Complete) => ({
  by: 'app',
  scopes: scopesAt(app.grants, resourceServer.audience),
  methods: app.methods,
  ttlMax: app.tokenTtlMax,
});

/** Where no rule is about it, nothing is granted. */
function capsOfPolicy(registration: Complete, usage: Usage): Cap[] {
  const rules = rulesAbout(registration, usage);
  if (rules.length === 0) return [{ by: 'policy, of which no rule is about this', scopes: new Set() }];
  return rules.map((rule) => capOfRule(rule, registration.resourceServer));
}

/** The rules of the tenant's policy that are about an app's tokens for a resource server. */
export function rulesAbout({ policy, app, resourceServer }: Complete, usage: Usage): readonly Rule[] {
  const { clientType, hostingType, environment } = app;
  return policy.rules.matching({ clientType, hostingType, environment, usage, audience: resourceServer.audience });
}

const capOfRule = ({ ruleId, limits }: Rule, resourceServer: ResourceServer): Cap => ({
  ...limits,
  by: `rule ${ruleId}`,
  scopes: scopesOfRule(limits, resourceServer),
});

const harm: Readonly<Record<Sensitivity, number>> = { low: 0, normal: 1, high: 2 };

function scopesOfRule(
  { scopes, sensitivityMax }: Rule['limits'],
  { scopes: owned }: ResourceServer,
): Set<string> | null {
  if (sensitivityMax === null) return scopes && new Set(scopes);
  const harmless = owned.filter(({ sensitivity }) => harm[sensitivity] <= harm[sensitivityMax]).map(({ name }) => name);
  return new Set(scopes ? harmless.filter((name) => scopes.includes(name)) : harmless);
}

/** What the user has permitted. */
export const capOfConsent = ({ grants }: Consent, audience: string): Cap => ({
  by: 'consent',
  scopes: scopesAt(grants, audience),
});

export const scopesAt = (grants: readonly AppGrant[], audience: string): ReadonlySet<string> =>
  new Set(grants.find((grant) => grant.audience === audience)?.scopes);
