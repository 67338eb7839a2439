import {
  type AppKind,
  Holds,
  holdsForIssued,
  type Mac,
  nothingAllowed,
  type Release,
  type ReleaseReader,
  type ResourceServer,
  RuleIndex,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import type { Database, Row } from './database.ts';
import { policyColumns, policyMacOf, policyOf } from './policy-rows.ts';
import { columnsCount, columnsOf, storedOf } from './registry.ts';

/** One snapshot: the revision is that of what is read. The policy is found by the tenant that is asked for, not by what the entry says. */
const releaseStatement = `
  select h.revision, ${columnsOf('resource_server', 'r')}, p.*
    from history h
    left join resource_server r on r.audience = $1
    left join lateral (
      select ${policyColumns} from policy p where p.tenant_id = $2 order by p.version desc limit 1
    ) p on true`;

const kindsStatement = `
  select ${columnsOf('app', 'a')} from app a where a.app_id = any($1) and a.tenant_id = $2`;

/** Of how many policies the rules that hold for issued tokens are remembered: all resource servers of a tenant share them. */
const policiesMax = 1_000;

/** What resource servers are shown, remembered for as long as no revision has changed it. */
export function releaseReader(database: Database, mac: Mac): ReleaseReader {
  let generation = -1;
  const remembered = new Map<string, Release>();
  const indexes = new LRUCache<string, RuleIndex>({ max: policiesMax });

  async function kindsOf(tenantId: string, appIds: readonly string[]): Promise<ReadonlyMap<string, AppKind>> {
    const rows = await database
      .of([tenantId])
      .query({ name: 'app kinds', text: kindsStatement, values: [appIds, tenantId] });
    const stored = rows.map((row) => storedOf('app', row, mac)).filter((one) => one !== null);
    return new Map(stored.map(({ entry }) => [entry.appId, entry]));
  }

  function holdsOf(tenantId: string, policy: Row, resourceServer: ResourceServer | null): Holds | null {
    const [, version, text, storedMac] = policy as [string, number | null, string, string];
    if (version === null) return null;
    const key = policyMacOf(mac, tenantId, version, text);
    const isOurs = key === storedMac;
    const rules = isOurs ? policyOf(policy, mac).policy.rules.filter(holdsForIssued) : nothingAllowed;
    if (rules.length === 0) return null;
    const index = indexes.get(key) ?? new RuleIndex(rules);
    if (isOurs) indexes.set(key, index);
    return new Holds(index, resourceServer, (appIds) => kindsOf(tenantId, appIds));
  }

  async function read(tenantId: string, audience: string, now: number): Promise<Release> {
    const statement = { name: 'release', text: releaseStatement, values: [audience, tenantId] };
    const [row = []] = await database.of([tenantId]).query(statement);
    const [revision = 0, ...columns] = row as [number, ...unknown[]];
    const stored = storedOf('resource_server', columns.slice(0, columnsCount), mac);
    const resourceServer = stored?.entry ?? null;
    const { releasedClaims: claims = [], pairwiseSector = null } = resourceServer ?? {};
    const holds = holdsOf(tenantId, columns.slice(columnsCount), resourceServer);
    const release = { claims, pairwiseSector, holds, revision };
    if (stored && now === generation) remembered.set(audience, release);
    return release;
  }

  return {
    releaseOf(tenantId, audience, revision, now) {
      if (now !== generation) remembered.clear();
      generation = now;
      const known = remembered.get(audience);
      return known && known.revision >= revision ? known : read(tenantId, audience, now);
    },
  };
}
