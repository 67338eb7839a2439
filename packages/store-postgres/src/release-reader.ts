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

/** What is asked for stands in the row of the head. The policy is found by the tenant that is asked for, not by what the entry says. */
const releaseStatement = `
  select tail.*, ${columnsOf('resource_server', 'r')}, p.*
    from (${tailSelect}) tail
    left join resource_server r on tail.part = 0 and r.audience = $2
    left join lateral (
      select ${policyColumns} from policy p
       where tail.part = 0 and p.tenant_id = $3 order by p.version desc limit 1
    ) p on true`;

const kindsStatement = `
  select tail.*, ${columnsOf('app', 'a')}
    from (${tailSelect}) tail
    left join app a on tail.part = 0 and a.app_id = any($2) and a.tenant_id = $3`;

/** Of how many policies the rules that hold for issued tokens are remembered: all resource servers of a tenant share them. */
const policiesMax = 1_000;
/** Of how many resource servers it is remembered what they are shown. */
const releasesMax = 20_000;

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
  async function ask(tenantId: string, statement: { name: string; text: string }, values: readonly unknown[]) {
    const {
      rows,
      tail,
      generation: asRead,
    } = await follower.askUntilCovered(async ({ revision }) => {
      const rows = await database.of([tenantId]).query({ ...statement, values: [revision, ...values] });
      return { rows, tail: tailOf(rows) };
    });
    return {
      found: rows.filter(([part]) => part === 0).map((row) => row.slice(tailColumnsCount)),
      revision: tail.head.revision,
      asRead,
    };
  }

  async function kindsOf(tenantId: string, appIds: readonly string[]): Promise<ReadonlyMap<string, AppKind>> {
    const { found } = await ask(tenantId, { name: 'app kinds', text: kindsStatement }, [appIds, tenantId]);
    const stored = found.map((columns) => storedOf('app', columns, mac)).filter((one) => one !== null);
    return new Map(
      stored.map(({ entry: { appId, clientType, hostingType, environment } }) => [
        appId,
        { clientType, hostingType, environment },
      ]),
    );
  }

  function holdsOf(tenantId: string, policy: Row, resourceServer: ResourceServer | null): Holds | null {
    const [, version, text, storedMac] = policy as [string, number | null, string, string];
    if (version === null) return null;
    const key = policyMacOf(mac, tenantId, version, text);
    const isOurs = key === storedMac;
    const rules = isOurs ? policyOf(policy, mac).policy.rules.filter(holdsForIssued) : nothingAllowed;
    if (rules.length === 0) return null;
    const known = indexes.get(tenantId);
    const index = known?.key === key ? known.index : new RuleIndex(rules);
    if (isOurs) indexes.set(tenantId, { key, index });
    return new Holds(index, resourceServer?.scopes ?? [], (appIds) => kindsOf(tenantId, appIds));
  }

  interface Wanted {
    readonly tenantId: string;
    readonly audience: string;
    readonly generation: number;
  }

  // Two at a time: a change of a policy makes those of all resource servers of its tenant be asked for at once.
  const read = gather<Wanted, Release>(
    async ([wanted]) => [await readOne(wanted as Wanted)],
    { batchMax: 1, lanes: 2, waitingMax: 20_000 },
    { keyOf: ({ tenantId }) => tenantId },
  );

  async function readOne({ tenantId, audience, generation }: Wanted): Promise<Release> {
    const statement = { name: 'release', text: releaseStatement };
    const { found, revision, asRead } = await ask(tenantId, statement, [audience, tenantId]);
    const [columns = []] = found;
    const stored = storedOf('resource_server', columns.slice(0, columnsCount), mac);
    const resourceServer = stored?.entry ?? null;
    // One that is not known is told nothing, in nobody's terms, and nothing that is old.
    const { releasedClaims: claims = [], pairwiseSector = '' } = resourceServer ?? {};
    const holds = holdsOf(tenantId, columns.slice(columnsCount), resourceServer);
    const stalenessMax = resourceServer ? (resourceServer.stalenessMax ?? Infinity) * 1_000 : 0;
    const release = { claims, pairwiseSector, holds, stalenessMax, revision };
    if (stored && generation === rememberedOf && generation === asRead) {
      remembered.set(audience, { tenantId, release });
    }
    return release;
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
