import {
  defaultPolicy,
  type Entries,
  gather,
  type IndexedPolicy,
  indexed,
  type Mac,
  type RegisteredKind,
  type Registration,
  type Registry,
  type Stored,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import type { Database, Row } from './database.ts';
import { readPolicy } from './policy-rows.ts';

/** Of how many tenants something is remembered, and how much of each. */
const [tenantsMax, ofTenantMax] = [20_000, 2_000];
/** How many characters the entries that are remembered have: in memory they take a few times as much. */
const charactersMax = 128 * 1_048_576;

/** Where entries of each kind are kept, and the column of their id. */
export const tables = {
  tenant: { table: 'tenant', id: 'tenant_id' },
  app: { table: 'app', id: 'app_id' },
  resource_server: { table: 'resource_server', id: 'audience' },
} as const satisfies Record<RegisteredKind, object>;

/** As `storedOf` reads them. */
export const columnsOf = (what: RegisteredKind, alias: string): string =>
  `${alias}.${tables[what].id}, ${alias}.tenant_id, ${alias}.entry, ${alias}.mac, ${alias}.disabled_revision is not null`;
export const columnsCount = 5;

/** `limit` holds the planner to the indexes: each is looked for by itself, and must be of the tenant that it is sought in. */
const registrationsStatement = `
  select w.tenant_id, w.app_id, w.audience, t.registry_version,
         (select json_build_array(p.version, p.mac) from policy p where p.tenant_id = t.tenant_id
           order by p.version desc limit 1),
         ${columnsOf('tenant', 't')}, ${columnsOf('app', 'a')}, ${columnsOf('resource_server', 'r')}
    from unnest($1::text[], $2::text[], $3::text[]) as w (tenant_id, app_id, audience)
   cross join lateral (select * from tenant e where e.tenant_id = w.tenant_id limit 1) as t
    left join lateral (select * from app e where e.app_id = w.app_id limit 1) as a on a.tenant_id = t.tenant_id
    left join lateral (select * from resource_server e where e.audience = w.audience limit 1) as r
           on r.tenant_id = t.tenant_id`;

/** By a random step, so that a database that was put back does not come to the same version with other content. */
export const versionRaised = 'registry_version = registry_version + 1 + (random() * 1000000)::bigint';

/** The keyed hash over an entry, and over where it is kept: no other row can have it. It is the etag, too. */
export const macOf = (mac: Mac, what: RegisteredKind, id: string, tenantId: string, text: string): string =>
  mac(what, JSON.stringify([id, tenantId, text]));

type Entry = Entries[RegisteredKind];

function parseEntry(text: string): Entry {
  const { nonce: _, ...entry } = JSON.parse(text);
  return entry;
}

/**
 * Null where there is no entry, or one that was not written under our key.
 * @param entryOf what a text says, which no other one of its etag does.
 */
export function storedOf<Kind extends RegisteredKind>(
  what: Kind,
  row: Row,
  mac: Mac,
  entryOf: (text: string, etag: string) => Entry = parseEntry,
): Stored<Entries[Kind]> | null {
  const [id, tenantId, text, etag, disabled] = row as [string, string, string | null, string, boolean];
  if (text === null || macOf(mac, what, id, tenantId, text) !== etag) return null;
  return { entry: entryOf(text, etag) as Entries[Kind], etag, disabled };
}

/** What decides about a token is sought by all three together. */
interface Sought {
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
}

const keyOf = ({ tenantId, appId, audience }: Sought): string => JSON.stringify([tenantId, appId, audience]);

interface Found extends Omit<Registration, 'policy'> {
  /** The version of the policy that is in force; null: nobody has made any. */
  readonly latest: readonly [version: number, mac: string] | null;
}

function foundOf(mac: Mac, [version, latest, ...columns]: Row, entryOf: (text: string, etag: string) => Entry): Found {
  // Nothing is compared with version 0, which is that of what no registry decides: it is written by nobody but an attacker.
  const tenant = version === 0 ? null : storedOf('tenant', columns.slice(0, columnsCount), mac, entryOf);
  const app = storedOf('app', columns.slice(columnsCount, 2 * columnsCount), mac, entryOf);
  const resourceServer = storedOf('resource_server', columns.slice(2 * columnsCount), mac, entryOf);
  const disabled = new Set<RegisteredKind>();
  if (tenant?.disabled) disabled.add('tenant');
  if (app?.disabled) disabled.add('app');
  if (resourceServer?.disabled) disabled.add('resource_server');
  return {
    tenant: tenant?.entry ?? null,
    app: app?.entry ?? null,
    resourceServer: resourceServer?.entry ?? null,
    disabled,
    version: version as number,
    latest: latest as Found['latest'],
  };
}

const unknownRegistration: Registration = {
  tenant: null,
  app: null,
  resourceServer: null,
  disabled: new Set(),
  policy: indexed(defaultPolicy('')),
  version: 0,
};

/** The registry; what it finds is remembered until it is told to forget. */
export function registry(database: Database, mac: Mac): Registry {
  const remembered = new LRUCache<string, Map<string, Registration>>({ max: tenantsMax });
  /** By their etags: an entry is part of many registrations. Where one has to go, all that hold it go. */
  const entries = new LRUCache<string, Entry>({
    maxSize: charactersMax,
    dispose: ({ tenantId }) => remembered.delete(tenantId),
  });
  const policies = new LRUCache<string, { readonly mac: string; readonly read: Promise<IndexedPolicy> }>({
    max: tenantsMax,
  });

  /** Once it is forgotten nobody finds what is still put there: that was read before. */
  function rememberedOf(tenantId: string): Map<string, Registration> {
    const known = remembered.get(tenantId);
    if (known) return known;
    const ofTenant = new Map<string, Registration>();
    remembered.set(tenantId, ofTenant);
    return ofTenant;
  }

  function entryOf(text: string, etag: string): Entry {
    const known = entries.get(etag);
    if (known) return known;
    const entry = parseEntry(text);
    entries.set(etag, entry, { size: text.length });
    return entry;
  }

  /** What many seek is read once for all of them. */
  async function readAll(sought: readonly Sought[]): Promise<(Found | null)[]> {
    const each = [...new Map(sought.map((one) => [keyOf(one), one])).values()];
    const tenantIds = each.map(({ tenantId }) => tenantId);
    const rows = await database.of([...new Set(tenantIds)]).query({
      name: 'registrations',
      text: registrationsStatement,
      values: [tenantIds, each.map(({ appId }) => appId), each.map(({ audience }) => audience)],
    });
    const found = new Map(
      (rows as [string, string, string, ...unknown[]][]).map(([tenantId, appId, audience, ...row]) => [
        keyOf({ tenantId, appId, audience }),
        foundOf(mac, row, entryOf),
      ]),
    );
    return sought.map((one) => found.get(keyOf(one)) ?? null);
  }
  const seek = gather(readAll, { batchMax: 64, lanes: 2, waitingMax: 20_000 }, { keyOf: ({ tenantId }) => tenantId });

  /**
   * A version never changes, so it is read once - by its mac: a database that was put back may come to the same number with
   * other rules.
   */
  function policyAt(tenantId: string, latest: Found['latest']): Promise<IndexedPolicy> {
    const [version, policyMac] = latest ?? [null, ''];
    const known = policies.get(tenantId);
    if (known?.mac === policyMac) return known.read;
    const latestRead = { mac: policyMac, read: readIndexed(tenantId, version) };
    policies.set(tenantId, latestRead);
    latestRead.read.catch(() => {
      if (policies.get(tenantId) === latestRead) policies.delete(tenantId);
    });
    return latestRead.read;
  }

  /** One that is gone meanwhile allows nothing. */
  async function readIndexed(tenantId: string, version: number | null): Promise<IndexedPolicy> {
    if (version === null) return indexed(defaultPolicy(tenantId));
    const made = await readPolicy(database, mac, tenantId, version);
    return indexed(made?.policy ?? { tenantId, version, rules: [] });
  }

  return {
    async find(tenantId, appId, audience) {
      const sought = { tenantId, appId, audience };
      const [key, ofTenant] = [keyOf(sought), rememberedOf(tenantId)];
      const known = ofTenant.get(key);
      if (known) return known;
      const found = await seek(sought);
      if (!found) return unknownRegistration;
      const { latest, ...rest } = found;
      // Not read for all together: who waits for a policy keeps nobody else waiting.
      const registration = { ...rest, policy: await policyAt(tenantId, latest) };
      if (registration.app && registration.resourceServer) {
        if (ofTenant.size >= ofTenantMax) ofTenant.clear();
        ofTenant.set(key, registration);
      }
      return registration;
    },

    forget(tenantId) {
      remembered.delete(tenantId);
    },

    async read(what, id, tenantIds) {
      const { table, id: column } = tables[what];
      const text = `select ${columnsOf(what, 'e')} from ${table} e where e.${column} = $1`;
      const [row] = await database.of(tenantIds).query({ name: `read ${what}`, text, values: [id] });
      return row ? storedOf(what, row, mac) : null;
    },

    async list(what, tenantIds, after, limit) {
      const { table, id } = tables[what];
      const text = `select ${columnsOf(what, 'e')} from ${table} e
                     where e.tenant_id = any($1) and e.${id} > $2 order by e.${id} limit $3`;
      const rows = await database
        .of(tenantIds)
        .query({ name: `list ${what}`, text, values: [tenantIds, after, limit + 1] });
      const page = rows.slice(0, limit);
      const entries = page.map((row) => storedOf(what, row, mac)).filter((stored) => stored !== null);
      // By what is there, not by what was written under our key: else one that was not would end the list.
      return { entries, next: rows.length > limit ? ((page.at(-1)?.[0] as string) ?? null) : null };
    },
  };
}
