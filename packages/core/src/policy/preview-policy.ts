import type { Act } from '../access/act.ts';
import { requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { TenantUnknown } from '../errors.ts';
import type { Registry } from '../register/ports.ts';
import { type Entries, type RegisteredKind, registeredId, type Tenant } from '../register/registration.ts';
import type { Confirmation, ConfirmationKind } from '../tokens/confirmation.ts';
import type { TokenMethodName, Usage } from '../tokens/token-record.ts';
import { type Cap, within } from './cap.ts';
import { type Complete, capOfApp, capsBesideApp } from './caps-of.ts';
import { defaultPolicy, type Policy } from './policy.ts';
import type { AlikeTokens, PolicyStore, TokenCounter } from './ports.ts';
import { type IndexedPolicy, indexed } from './rule-index.ts';

export interface PreviewPorts {
  readonly registry: Registry;
  readonly policies: PolicyStore;
  readonly tokenCounter: TokenCounter;
}

/** What tokens may have at most, all caps taken together. */
export interface GrantLimits {
  /** None: no token can be had. */
  readonly scopes: readonly string[];
  /** Seconds. */
  readonly ttlMax: number;
  readonly methods: readonly TokenMethodName[];
  /** Null: they need not be bound to anything. */
  readonly confirmations: readonly ConfirmationKind[] | null;
  /** Seconds; null: as long as it lasts. */
  readonly consentAgeMax: number | null;
}

/** What an app may have at a resource server for one usage, before and after. */
export interface GrantChange {
  readonly appId: string;
  readonly audience: string;
  readonly usage: Usage;
  readonly before: GrantLimits;
  readonly after: GrantLimits;
  /** Of its tokens that have not expired, those of which the new policy would not grant everything. */
  readonly liveTokens: number;
}

export interface Preview {
  readonly changes: readonly GrantChange[];
  readonly liveTokens: number;
}

const usages: readonly Usage[] = ['interactive', 'batch', 'automation', 'test'];

/**
 * What a policy would change, of what apps may have and of the tokens that they have.
 * @throws CallerNotAllowed, TenantUnknown, StoreUnavailable
 */
export async function previewPolicy(
  { caller }: Act,
  policy: Policy,
  { registry, policies, tokenCounter }: PreviewPorts,
): Promise<Preview> {
  const { tenantId } = policy;
  requireKind(caller, 'operator');
  requireScope(caller, 'registry:read');
  requireTenant(caller, tenantId);
  const tenant = await registry.read('tenant', tenantId);
  if (!tenant) throw new TenantUnknown();
  const current = indexed((await policies.read(tenantId, null))?.policy ?? defaultPolicy(tenantId));
  const next = indexed(policy);
  const grants = await grantsIn(tenant.entry, registry);
  const excessive = countExcessive(await tokenCounter.countAlike(tenantId), grants, next);
  const changes = grants.flatMap((grant) =>
    usages.flatMap((usage): GrantChange[] => {
      const before = limitsOf(capsUnder(grant, usage, current));
      const after = limitsOf(capsUnder(grant, usage, next));
      if (JSON.stringify(before) === JSON.stringify(after)) return [];
      const [appId, audience] = [grant.app.appId, grant.resourceServer.audience];
      return [{ appId, audience, usage, before, after, liveTokens: excessive.get(keyOf(appId, audience, usage)) ?? 0 }];
    }),
  );
  return { changes, liveTokens: [...excessive.values()].reduce((sum, count) => sum + count, 0) };
}

type Grant = Pick<Complete, 'tenant' | 'app' | 'resourceServer'>;

/** Every app with every resource server that it may ask for something at; what is disabled has nothing to lose. */
async function grantsIn(tenant: Tenant, registry: Registry): Promise<Grant[]> {
  const apps = await listAll('app', tenant.tenantId, registry);
  const servers = new Map(
    (await listAll('resource_server', tenant.tenantId, registry)).map((server) => [server.audience, server]),
  );
  return apps.flatMap((app) =>
    app.grants.flatMap(({ audience }) => {
      const resourceServer = servers.get(audience);
      return resourceServer ? [{ tenant, app, resourceServer }] : [];
    }),
  );
}

const pageSize = 500;

async function listAll<Kind extends RegisteredKind>(
  what: Kind,
  tenantId: string,
  registry: Registry,
): Promise<Entries[Kind][]> {
  const all: Entries[Kind][] = [];
  for (let after = ''; ; ) {
    const page = await registry.list(what, [tenantId], after, pageSize);
    all.push(...page.filter(({ disabled }) => !disabled).map(({ entry }) => entry));
    const last = page.at(-1);
    if (!last || page.length < pageSize) return all;
    after = registeredId(what, last.entry);
  }
}

const capsUnder = (grant: Grant, usage: Usage, policy: IndexedPolicy): readonly Cap[] => {
  const registration: Complete = { ...grant, policy, disabled: new Set(), version: 0 };
  return [...capsBesideApp(registration, usage), capOfApp(registration)];
};

/** All caps as one, but for those that go by a scope: they are the same under any policy. */
function limitsOf(caps: readonly Cap[]): GrantLimits {
  const common = <Value>(sets: readonly (readonly Value[])[]): readonly Value[] | null =>
    sets.length === 0 ? null : sets.reduce((some, others) => some.filter((one) => others.includes(one)));
  const said = <Value>(values: readonly (Value | null | undefined)[]): Value[] =>
    values.filter((value) => value != null);
  const scopes = common(said(caps.map((cap) => cap.scopes)).map((some) => [...some])) ?? [];
  const methods = common(said(caps.map((cap) => cap.methods))) ?? [];
  const confirmations = common(said(caps.map((cap) => cap.confirmations)));
  const isPossible = methods.length > 0 && confirmations?.length !== 0;
  const consentAges = said(caps.map(({ consentAgeMax }) => consentAgeMax));
  return {
    scopes: isPossible ? scopes : [],
    ttlMax: Math.min(...said(caps.filter(({ ofScope }) => ofScope === undefined).map(({ ttlMax }) => ttlMax))),
    methods,
    confirmations,
    consentAgeMax: consentAges.length > 0 ? Math.min(...consentAges) : null,
  };
}

const keyOf = (appId: string, audience: string, usage: Usage): string => JSON.stringify([appId, audience, usage]);

/** How many tokens there are, by app, audience and usage, of which the policy would not grant everything. */
function countExcessive(
  tokens: readonly AlikeTokens[],
  grants: readonly Grant[],
  policy: IndexedPolicy,
): ReadonlyMap<string, number> {
  const byKey = new Map<string, readonly Cap[]>(
    grants.flatMap((grant) =>
      usages.map((usage): [string, readonly Cap[]] => [
        keyOf(grant.app.appId, grant.resourceServer.audience, usage),
        capsUnder(grant, usage, policy),
      ]),
    ),
  );
  const counts = new Map<string, number>();
  for (const { appId, audience, usage, count, confirmation, ...token } of tokens) {
    const key = keyOf(appId, audience, usage);
    const caps = byKey.get(key);
    const wanted = { ...token, confirmation: confirmation && boundTo[confirmation], consentAge: null };
    if (caps && within(caps, wanted).excess.length > 0) counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return counts;
}

const boundTo: Readonly<Record<ConfirmationKind, Confirmation>> = {
  certificate: { certificate: '' },
  key: { key: '' },
};
