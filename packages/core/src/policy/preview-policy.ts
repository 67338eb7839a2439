import type { Act, Signal } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import { Cancelled, TenantUnknown } from '../errors.ts';
import type { EntriesPage, Registry } from '../register/ports.ts';
import type { Entries, RegisteredKind, ResourceServer, Tenant } from '../register/registration.ts';
import type { ConfirmationKind } from '../tokens/confirmation.ts';
import type { TokenMethodName, Usage } from '../tokens/token-record.ts';
import type { Cap } from './cap.ts';
import { type Complete, capOfApp, capOfIssued, capsBesideApp } from './caps-of.ts';
import { requireOfUsualSize } from './policies.ts';
import { commonLimits, defaultPolicy, type Limits, type Policy, unlimited } from './policy.ts';
import type { PolicyStore, TokenCounter, TokenLimits } from './ports.ts';
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
  /** Of these, those that would be refused at once: rules that hold for issued tokens would not grant everything of them. */
  readonly refusedTokens: number;
}

export interface Preview {
  /** The first ones. */
  readonly changes: readonly GrantChange[];
  /** How many there are. */
  readonly changesCount: number;
  readonly liveTokens: number;
  readonly refusedTokens: number;
}

const usages: readonly Usage[] = ['interactive', 'batch', 'automation', 'test'];

/** How many changes are told. */
const changesMax = 1_000;
/** After so many a turn of the event loop goes to others. */
const grantsAtOnce = 100;

/**
 * What a policy would change, of what apps may have and of the tokens that they have.
 * @throws CallerNotAllowed, InvalidField, TenantUnknown, StoreUnavailable, Overloaded
 */
export async function previewPolicy(act: Act, policy: Policy, ports: PreviewPorts): Promise<Preview> {
  const { tenantId } = policy;
  requireOperator(act.caller, 'registry:read', tenantId, 'policy.tenant_id');
  requireOfUsualSize(policy);
  const tenant = await ports.registry.read('tenant', tenantId, [tenantId]);
  if (!tenant) throw new TenantUnknown('policy.tenant_id');
  let looked: readonly Change[] = [];
  let held: readonly Change[] = [];
  const limitsOf = async (): Promise<readonly TokenLimits[]> => {
    looked = await changesUnder(policy, tenant.entry, ports, act.signal);
    held = looked.filter((change) => change.held !== null);
    return [...looked.map((one) => limitsFor(one, one.after)), ...held.map((one) => limitsFor(one, one.held))];
  };
  const beyond = await ports.tokenCounter.countBeyond(tenantId, limitsOf, act.signal);
  const refused = new Map(held.map((change, at) => [change, beyond[looked.length + at] ?? 0]));
  const changes = looked
    .map((change, at) => ({ ...change, liveTokens: beyond[at] ?? 0, refusedTokens: refused.get(change) ?? 0 }))
    .filter(
      ({ before, after, refusedTokens }) => refusedTokens > 0 || JSON.stringify(before) !== JSON.stringify(after),
    );
  const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
  return {
    changes: changes.slice(0, changesMax),
    changesCount: changes.length,
    liveTokens: sum(beyond.slice(0, looked.length)),
    refusedTokens: sum(refused.values()),
  };
}

type Grant = Pick<Complete, 'tenant' | 'app' | 'resourceServer'>;
interface Change extends Omit<GrantChange, 'liveTokens' | 'refusedTokens'> {
  /** What the rules that hold for issued tokens would let them have; null: there are none. */
  readonly held: Cap | null;
}

/** Of every grant and usage. */
async function changesUnder(
  policy: Policy,
  tenant: Tenant,
  { registry, policies }: PreviewPorts,
  signal: Signal | undefined,
): Promise<readonly Change[]> {
  const { tenantId } = tenant;
  const current = indexed((await policies.read(tenantId, null))?.policy ?? defaultPolicy(tenantId));
  const next = indexed(policy);
  const changes: Change[] = [];
  let count = 0;
  for await (const grant of grantsIn(tenant, registry)) {
    if (++count % grantsAtOnce === 0) await new Promise(setImmediate);
    if (signal?.aborted) throw new Cancelled();
    changes.push(...usages.map((usage) => changeOf(grant, usage, current, next)));
  }
  return changes;
}

function changeOf(grant: Grant, usage: Usage, current: IndexedPolicy, next: IndexedPolicy): Change {
  const under = (policy: IndexedPolicy): Complete => ({ ...grant, policy, disabled: new Set(), version: 0 });
  const limitsUnder = (policy: IndexedPolicy): GrantLimits =>
    limitsOf([...capsBesideApp(under(policy), usage), capOfApp(under(policy))]);
  const [appId, audience] = [grant.app.appId, grant.resourceServer.audience];
  const [before, after] = [limitsUnder(current), limitsUnder(next)];
  return { appId, audience, usage, before, after, held: capOfIssued(under(next), usage) };
}

const limitsFor = ({ appId, audience, usage }: Change, limits: GrantLimits | Cap | null): TokenLimits => ({
  appId,
  audience,
  usage,
  scopes: limits?.scopes ? [...limits.scopes] : null,
  ttlMax: limits?.ttlMax ?? null,
  methods: limits?.methods ?? null,
  confirmations: limits?.confirmations ?? null,
});

/** Every app with every resource server that it may ask for something at; what is disabled has nothing to lose. */
async function* grantsIn(tenant: Tenant, registry: Registry): AsyncGenerator<Grant> {
  const servers = new Map<string, ResourceServer>();
  for await (const server of listAll('resource_server', tenant.tenantId, registry))
    servers.set(server.audience, server);
  for await (const app of listAll('app', tenant.tenantId, registry)) {
    for (const { audience } of app.grants) {
      const resourceServer = servers.get(audience);
      if (resourceServer) yield { tenant, app, resourceServer };
    }
  }
}

const pageSize = 100;

async function* listAll<Kind extends RegisteredKind>(
  what: Kind,
  tenantId: string,
  registry: Registry,
): AsyncGenerator<Entries[Kind]> {
  for (let after: string | null = ''; after !== null; ) {
    const page: EntriesPage<Kind> = await registry.list(what, [tenantId], after, pageSize);
    for (const { entry, disabled } of page.entries) if (!disabled) yield entry;
    after = page.next;
  }
}

/** All caps as one, but for those that go by a scope: they are the same under any policy. */
function limitsOf(caps: readonly Cap[]): GrantLimits {
  const said = caps
    .filter(({ ofScope }) => ofScope === undefined)
    .map((cap): Limits => ({ ...unlimited, ...cap, scopes: cap.scopes ? [...cap.scopes] : null }));
  const { scopes, ttlMax, methods, confirmations, consentAgeMax } = commonLimits(said);
  const isPossible = methods?.length !== 0 && confirmations?.length !== 0;
  return {
    scopes: isPossible ? (scopes ?? []) : [],
    ttlMax: ttlMax ?? 0,
    methods: methods?.toSorted() ?? [],
    confirmations: confirmations?.toSorted() ?? null,
    consentAgeMax,
  };
}
