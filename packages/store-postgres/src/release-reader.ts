import {
  type AppKind,
  type Follower,
  gather,
  Holds,
  holdsForIssued,
  type Mac,
  type Release,
  type ReleaseReader,
  type ResourceServer,
  RuleIndex,
  sharing,
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

const kindsStatement = `
  select tail.*, ${columnsOf('app', 'a')}
    from (${tailSelect}) tail
    left join unnest($2::text[], $3::text[]) as w (app_id, tenant_id) on tail.part = 0
    left join lateral (select * from app e where e.app_id = w.app_id limit 1) a on a.tenant_id = w.tenant_id`;

/**
 * How much is read together, and how much of that at a time: a transaction for each would cost more than what is in it, but
 * entries and policies can be large.
 */
const gathering = { batchMax: 32, lanes: 2, waitingMax: 20_000 };

/** How many characters the policies and entries have of which something is remembered: in memory that takes a few times as much. */
const charactersMax = 128 * 1_048_576;
/** What is remembered of one counts as much, however short it is. */
const charactersMin = 500;

/** What is remembered of a tenant. */
interface OfTenant {
  /** Of its policy, where that is ours; null: nobody has made any. */
  readonly policyMac: string | null;
  /** The rules of it that hold for issued tokens; null: there are none. */
  readonly rules: RuleIndex | null;
  /** By audience, under that policy. */
  readonly releases: Map<string, { readonly release: Release; readonly characters: number }>;
  /** Of all that. */
  readonly characters: number;
}

interface Wanted {
  readonly tenantId: string;
  readonly audience: string;
  readonly generation: number;
}

interface WantedKind {
  readonly tenantId: string;
  readonly appId: string;
}

/** No mac is that: what is not ours is looked at anew each time. */
const notOurs = '';

const keyOf = (tenantId: string, id: string): string => JSON.stringify([tenantId, id]);

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
  const remembered = new LRUCache<string, OfTenant>({
    maxSize: charactersMax,
    sizeCalculation: ({ characters }) => characters,
  });

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
      const rows = await database.of([...new Set(tenantIds)]).query({ ...statement, values: [revision, ...values] });
      return { rows, tail: tailOf(rows) };
    });
    return {
      found: rows.filter(([part]) => part === 0).map((row) => row.slice(tailColumnsCount)),
      revision: tail.head.revision,
      asRead,
    };
  }

  async function readKinds(wanted: readonly WantedKind[]): Promise<(AppKind | null)[]> {
    const tenantIds = wanted.map(({ tenantId }) => tenantId);
    const appIds = wanted.map(({ appId }) => appId);
    const { found } = await ask(tenantIds, { name: 'app kinds', text: kindsStatement }, [appIds, tenantIds]);
    const kinds = new Map<string, AppKind>();
    for (const columns of found) {
      const stored = storedOf('app', columns, mac);
      if (!stored) continue;
      const { tenantId, appId, clientType, hostingType, environment } = stored.entry;
      kinds.set(keyOf(tenantId, appId), { clientType, hostingType, environment });
    }
    return wanted.map(({ tenantId, appId }) => kinds.get(keyOf(tenantId, appId)) ?? null);
  }
  const readKind = gather(readKinds, gathering, { keyOf: ({ tenantId }) => tenantId });

  async function readReleases(wanted: readonly Wanted[]): Promise<Release[]> {
    const tenantIds = wanted.map(({ tenantId }) => tenantId);
    const policiesOf = tenantIds.map((tenantId, at) => (tenantIds.indexOf(tenantId) === at ? tenantId : null));
    const audiences = wanted.map(({ audience }) => audience);
    const statement = { name: 'releases', text: releasesStatement };
    const { found, revision, asRead } = await ask(tenantIds, statement, [audiences, tenantIds, policiesOf]);
    const policies = new Map<string, Row>();
    const servers = new Map<string, Row>();
    for (const [audience, tenantId, owner, ...columns] of found as [string, string, string | null, ...unknown[]][]) {
      if (owner !== null) policies.set(owner, columns.slice(columnsCount));
      servers.set(keyOf(tenantId, audience), columns.slice(0, columnsCount));
    }
    const under = new Map<string, OfTenant>();
    return wanted.map(({ tenantId, audience, generation }) => {
      const ofTenant = under.get(tenantId) ?? underPolicy(tenantId, policies.get(tenantId) ?? []);
      const server = servers.get(keyOf(tenantId, audience)) ?? [];
      const resourceServer = storedOf('resource_server', server, mac)?.entry ?? null;
      const release = releaseFrom(tenantId, resourceServer, ofTenant.rules, revision);
      const isKept = resourceServer && generation === rememberedOf && generation === asRead;
      under.set(tenantId, isKept ? remember(tenantId, ofTenant, audience, release, server) : ofTenant);
      return release;
    });
  }
  const readRelease = gather(readReleases, gathering, { keyOf: ({ tenantId }) => tenantId });

  /** What is remembered of the tenant; nothing of what was under another policy. */
  function underPolicy(tenantId: string, policy: Row): OfTenant {
    const [, version, text, storedMac] = policy as [string, number | null, string, string];
    const policyMac = version === null ? null : policyMacOf(mac, tenantId, version, text);
    const isOurs = policyMac === null || policyMac === storedMac;
    const known = remembered.get(tenantId);
    if (isOurs && known?.policyMac === policyMac) return known;
    const held = version === null ? [] : policyOf(policy, mac).policy.rules.filter(holdsForIssued);
    return {
      policyMac: isOurs ? policyMac : notOurs,
      rules: held.length > 0 ? new RuleIndex(held) : null,
      releases: new Map(),
      characters: charactersMin + (held.length > 0 ? String(text).length : 0),
    };
  }

  function remember(
    tenantId: string,
    ofTenant: OfTenant,
    audience: string,
    release: Release,
    [, , text]: Row,
  ): OfTenant {
    const before = ofTenant.releases.get(audience)?.characters ?? 0;
    const characters = charactersMin + (text as string).length;
    ofTenant.releases.set(audience, { release, characters });
    const grown = { ...ofTenant, characters: ofTenant.characters - before + characters };
    remembered.set(tenantId, grown);
    return grown;
  }

  /** One that is not known is told nothing, in nobody's terms, and nothing that is old. */
  function releaseFrom(
    tenantId: string,
    resourceServer: ResourceServer | null,
    rules: RuleIndex | null,
    revision: number,
  ): Release {
    const { releasedClaims: claims = [], pairwiseSector = '', scopes = [] } = resourceServer ?? {};
    const holds = rules && new Holds(rules, scopes, (appId) => readKind({ tenantId, appId }));
    const stalenessMax = resourceServer ? (resourceServer.stalenessMax ?? Infinity) * 1_000 : 0;
    return { claims, pairwiseSector, holds, stalenessMax, revision };
  }

  /** Whoever wants it meanwhile looks at its revision, and asks again where something has changed since. */
  const shared = sharing(readRelease, ({ tenantId, audience, generation }) =>
    JSON.stringify([tenantId, audience, generation]),
  );

  return {
    releaseOf(tenantId, audience, revision, generation) {
      if (generation !== rememberedOf) remembered.clear();
      rememberedOf = generation;
      const known = remembered.get(tenantId)?.releases.get(audience)?.release;
      return known && known.revision >= revision ? known : shared({ tenantId, audience, generation });
    },
  };
}
