import {
  type AppKind,
  type Follower,
  gather,
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
import { tailColumnsCount, tailOf, tailSelect } from './history-rows.ts';
import { policyColumns, policyMacOf, policyOf } from './policy-rows.ts';
import { columnsCount, columnsOf, storedOf } from './registry.ts';

/**
 * What is asked for stands beside the head. As registrations are, each is looked for by itself, and must be of the tenant that
 * it is sought in; the policy is that tenant's, whatever the entry says, and comes once for all that share it.
 */
const releasesStatement = `
  select tail.*, w.audience, w.tenant_id, w.policy_of, ${columnsOf('resource_server', 'r')}, p.*
    from (${tailSelect}) tail
    left join unnest($2::text[], $3::text[], $4::text[]) as w (audience, tenant_id, policy_of) on tail.part = 0
    left join lateral (select * from resource_server e where e.audience = w.audience limit 1) r
           on r.tenant_id = w.tenant_id
    left join lateral (
      select ${policyColumns} from policy p where p.tenant_id = w.policy_of order by p.version desc limit 1
    ) p on true`;

/** It stands in the rows of the head. */
const kindsStatement = `
  select tail.*, ${columnsOf('app', 'a')}
    from (${tailSelect}) tail
    left join app a on tail.part = 0 and a.app_id = any($2) and a.tenant_id = $3`;

/** Of how many policies the rules that hold for issued tokens are remembered: all resource servers of a tenant share them. */
const policiesMax = 1_000;
/** Of how many resource servers it is remembered what they are shown. */
const releasesMax = 20_000;

/** What resource servers are sought by. */
const keyOf = ({ tenantId, audience }: { readonly tenantId: string; readonly audience: string }): string =>
  JSON.stringify([tenantId, audience]);

/**
 * What resource servers are shown, remembered for as long as no revision has changed it. It is asked for as records are: of
 * the server in force, and the follower is as far as what is answered.
 */
export function releaseReader(
  database: Database,
  mac: Mac,
  follower: Pick<Follower, 'askUntilCovered' | 'generation'>,
): ReleaseReader {
  let rememberedOf = -1;
  const remembered = new LRUCache<string, { readonly tenantId: string; readonly release: Release }>({
    max: releasesMax,
  });
  const underWay = new Map<string, Promise<Release>>();
  const indexes = new LRUCache<string, { readonly key: string; readonly index: RuleIndex }>({ max: policiesMax });

  /** The rows of the head, with what was asked for. */
  async function ask(
    tenantIds: readonly string[],
    statement: { name: string; text: string },
    values: readonly unknown[],
  ) {
    const {
      rows,
      tail,
      generation: asRead,
    } = await follower.askUntilCovered(async ({ revision }) => {
      const rows = await database.of(tenantIds).query({ ...statement, values: [revision, ...values] });
      return { rows, tail: tailOf(rows) };
    });
    return {
      found: rows.filter(([part]) => part === 0).map((row) => row.slice(tailColumnsCount)),
      revision: tail.head.revision,
      asRead,
    };
  }

  async function kindsOf(tenantId: string, appIds: readonly string[]): Promise<ReadonlyMap<string, AppKind>> {
    const { found } = await ask([tenantId], { name: 'app kinds', text: kindsStatement }, [appIds, tenantId]);
    const stored = found.map((columns) => storedOf('app', columns, mac)).filter((one) => one !== null);
    return new Map(
      stored.map(({ entry: { appId, clientType, hostingType, environment } }) => [
        appId,
        { clientType, hostingType, environment },
      ]),
    );
  }

  /** The rules that hold for issued tokens; null: there are none. */
  function indexOf(tenantId: string, policy: Row): RuleIndex | null {
    const [, version, text, storedMac] = policy as [string, number | null, string, string];
    if (version === null) return null;
    const key = policyMacOf(mac, tenantId, version, text);
    const isOurs = key === storedMac;
    const rules = isOurs ? policyOf(policy, mac).policy.rules.filter(holdsForIssued) : nothingAllowed;
    if (rules.length === 0) return null;
    const known = indexes.get(tenantId);
    const index = known?.key === key ? known.index : new RuleIndex(rules);
    if (isOurs) indexes.set(tenantId, { key, index });
    return index;
  }

  interface Wanted {
    readonly tenantId: string;
    readonly audience: string;
    readonly generation: number;
  }

  // A transaction for each would cost more than what is in it.
  const read = gather(
    readAll,
    { batchMax: 64, lanes: 2, waitingMax: 20_000 },
    { keyOf: ({ tenantId }: Wanted) => tenantId },
  );

  async function readAll(wanted: readonly Wanted[]): Promise<Release[]> {
    const tenantIds = wanted.map(({ tenantId }) => tenantId);
    const each = [...new Set(tenantIds)];
    const policiesOf = tenantIds.map((tenantId, at) => (tenantIds.indexOf(tenantId) === at ? tenantId : null));
    const audiences = wanted.map(({ audience }) => audience);
    const statement = { name: 'releases', text: releasesStatement };
    const { found, revision, asRead } = await ask(each, statement, [audiences, tenantIds, policiesOf]);
    const policies = new Map<string, Row>();
    const shown = new Map<string, ResourceServer | null>();
    for (const [audience, tenantId, owner, ...columns] of found as [string, string, string | null, ...unknown[]][]) {
      if (owner !== null) policies.set(owner, columns.slice(columnsCount));
      const stored = storedOf('resource_server', columns.slice(0, columnsCount), mac);
      shown.set(keyOf({ audience, tenantId }), stored?.entry ?? null);
    }
    const held = new Map(each.map((tenantId) => [tenantId, indexOf(tenantId, policies.get(tenantId) ?? [])]));
    return wanted.map(({ tenantId, audience, generation }) => {
      const resourceServer = shown.get(keyOf({ audience, tenantId })) ?? null;
      const release = releaseFrom(tenantId, resourceServer, held.get(tenantId) ?? null, revision);
      if (resourceServer && generation === rememberedOf && generation === asRead) {
        remembered.set(audience, { tenantId, release });
      }
      return release;
    });
  }

  /** One that is not known is told nothing, in nobody's terms, and nothing that is old. */
  function releaseFrom(
    tenantId: string,
    resourceServer: ResourceServer | null,
    index: RuleIndex | null,
    revision: number,
  ): Release {
    const { releasedClaims: claims = [], pairwiseSector = '', scopes = [] } = resourceServer ?? {};
    const holds = index && new Holds(index, scopes, (appIds) => kindsOf(tenantId, appIds));
    const stalenessMax = resourceServer ? (resourceServer.stalenessMax ?? Infinity) * 1_000 : 0;
    return { claims, pairwiseSector, holds, stalenessMax, revision };
  }

  /** Whoever wants it meanwhile looks at its revision, and asks again where something has changed since. */
  function shared(wanted: Wanted): Promise<Release> {
    const key = JSON.stringify([wanted.tenantId, wanted.audience, wanted.generation]);
    const reading = underWay.get(key) ?? read(wanted).finally(() => underWay.delete(key));
    underWay.set(key, reading);
    return reading;
  }

  return {
    releaseOf(tenantId, audience, revision, generation) {
      if (generation !== rememberedOf) remembered.clear();
      rememberedOf = generation;
      const known = remembered.get(audience);
      const isGood = known?.tenantId === tenantId && known.release.revision >= revision;
      return isGood ? known.release : shared({ tenantId, audience, generation });
    },
  };
}
