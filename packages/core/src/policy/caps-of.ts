import type { Consent } from '../consents/ports.ts';
import type { Registration } from '../register/ports.ts';
import {
  type App,
  type AppGrant,
  platformTtlMax,
  type ResourceServer,
  type Scope,
  type Sensitivity,
  type Tenant,
} from '../register/registration.ts';
import type { Usage } from '../tokens/token-record.ts';
import type { Cap } from './cap.ts';
import { commonLimits, harmOf, holdsForIssued, type Limits } from './policy.ts';
import type { RulesAbout } from './rule-index.ts';

/** A registration of which every entry is there. */
export interface Complete extends Registration {
  readonly tenant: Tenant;
  readonly app: App;
  readonly resourceServer: ResourceServer;
}

/**
 * What limits an app's tokens, beside the app's own registration and the consent of its user. The rules of the policy are one
 * cap: enough, where nothing is beyond it.
 */
export function capsBesideApp(registration: Complete, usage: Usage): readonly Cap[] {
  const { tenant, resourceServer } = registration;
  return [
    { by: 'installation', ttlMax: platformTtlMax },
    { by: 'tenant', ttlMax: tenant.tokenTtlMax },
    ...capsOfServer(resourceServer),
    capOfPolicy(registration, usage),
  ];
}

/** Made once for each, and kept for as long as that is: what apps have in common is there once for all of them. */
function madeOnce<Of extends object, Made>(make: (of: Of) => Made): (of: Of) => Made {
  const made = new WeakMap<Of, Made>();
  return (of) => {
    const known = made.get(of) ?? make(of);
    made.set(of, known);
    return known;
  };
}

const capsOfServer = madeOnce(({ scopes, tokenTtlMax }: ResourceServer): readonly Cap[] => [
  { by: 'resource server', scopes: new Set(scopes.map(({ name }) => name)), ttlMax: tokenTtlMax },
  ...scopes
    .filter((scope) => scope.tokenTtlMax !== null)
    .map((scope) => ({ by: `scope ${scope.name}`, ofScope: scope.name, ttlMax: scope.tokenTtlMax })),
]);

export const capOfApp = ({ app, resourceServer }: Complete) => ({
  by: 'app',
  scopes: scopesAt(app.grants, resourceServer.audience),
  methods: app.methods,
  ttlMax: app.tokenTtlMax,
});

/** Where no rule is about it, nothing is granted. */
function capOfPolicy(registration: Complete, usage: Usage): Cap {
  const about = rulesAbout(registration, usage);
  if (about.rules.length === 0) return { by: 'lack of a rule about such tokens', scopes: new Set() };
  return capOfRules(about, registration.resourceServer.scopes);
}

/** What the policy holds against such tokens where they are there already; null: nothing. */
export function capOfIssued(registration: Complete, usage: Usage): Cap | null {
  const held = heldOf(rulesAbout(registration, usage));
  return held.rules.length > 0 ? capOfRules(held, registration.resourceServer.scopes) : null;
}

const heldOf = madeOnce((about: RulesAbout): RulesAbout => {
  const rules = about.rules.filter(holdsForIssued);
  return { rules, limits: commonLimits(rules.map(({ limits }) => limits)) };
});

/** Rules as one cap. @param owned the scopes of the resource server. */
export const capOfRules = (about: RulesAbout, owned: readonly Scope[]): Cap => capsWithin(owned)(about);

const capsWithin = madeOnce((owned: readonly Scope[]) => {
  const harmless = harmlessOf(owned);
  return madeOnce(({ rules, limits }: RulesAbout): Cap => {
    // Made anew each time: there may be many rules, and whoever asks for too much is not to be remembered for it.
    const parts = () => rules.map((rule) => capOfLimits(`rule ${rule.ruleId}`, rule.limits, harmless));
    return { ...capOfLimits('policy', limits, harmless), parts };
  });
});

/** The rules of the tenant's policy that are about an app's tokens for a resource server. */
export function rulesAbout({ policy, app, resourceServer }: Complete, usage: Usage): RulesAbout {
  const { clientType, hostingType, environment } = app;
  return policy.rules.about({ clientType, hostingType, environment, usage, audience: resourceServer.audience });
}

const capOfLimits = (by: string, limits: Limits, harmless: Harmless): Cap => ({
  ...limits,
  by,
  scopes: scopesWithin(limits, harmless),
});

function scopesWithin({ scopes, sensitivityMax }: Limits, harmless: Harmless): ReadonlySet<string> | null {
  if (sensitivityMax === null) return scopes && new Set(scopes);
  const names = harmless(sensitivityMax);
  return scopes ? new Set(scopes.filter((name) => names.has(name))) : names;
}

/** The scopes that do no more harm than that: one set for all who ask. */
type Harmless = (sensitivityMax: Sensitivity) => ReadonlySet<string>;

function harmlessOf(owned: readonly Scope[]): Harmless {
  const made = new Map<Sensitivity, ReadonlySet<string>>();
  return (sensitivityMax) => {
    const known = made.get(sensitivityMax);
    if (known) return known;
    const harmless = owned.filter(({ sensitivity }) => harmOf[sensitivity] <= harmOf[sensitivityMax]);
    const names = new Set(harmless.map(({ name }) => name));
    made.set(sensitivityMax, names);
    return names;
  };
}

/** What the user has permitted. */
export const capOfConsent = ({ grants }: Consent, audience: string): Cap => ({
  by: 'consent',
  scopes: scopesAt(grants, audience),
});

export const scopesAt = (grants: readonly AppGrant[], audience: string): ReadonlySet<string> =>
  new Set(grants.find((grant) => grant.audience === audience)?.scopes);
