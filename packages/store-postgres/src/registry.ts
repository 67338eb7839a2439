import {
  AlreadyExists,
  type App,
  type AuditCodec,
  type AuditEvent,
  Disabled,
  gather,
  type Mac,
  type Registered,
  type RegisteredKind,
  type Registration,
  type Registry,
  type Release,
  type ReleaseReader,
  type ResourceServer,
  type Tenant,
  TenantUnknown,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import { insertEvents } from './audit-writer.ts';
import { type Database, type Query, type Row, StatementRefused, uniqueViolation } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';

/** Of how many tenants something is remembered, and how much of each. */
const rememberedMax = 20_000;

const tables = { tenant: 'tenant', app: 'app', resource_server: 'resource_server' } as const;
const ids = { tenant: 'tenant_id', app: 'app_id', resource_server: 'audience' } as const;

/** Each kind's columns as `storedOf` reads them; of the table under the alias that is its first letter. */
const columns = {
  tenant:
    't.tenant_id, t.display_name, t.token_ttl_max, t.first_party_without_consent, t.mac, t.disabled_revision is not null',
  app: `a.app_id, a.tenant_id, a.display_name, a.client_type, a.hosting_type, a.grants, a.methods, a.refresh, a.token_ttl_max,
        a.mac, a.disabled_revision is not null`,
  resource_server: `r.audience, r.tenant_id, r.display_name, r.scopes, r.released_claims, r.pairwise_sector, r.exchanges, r.token_ttl_max,
        r.mac, r.disabled_revision is not null`,
} as const;

const findStatement = `
  select t.registry_version, ${columns.tenant}, ${columns.app}, ${columns.resource_server}
    from tenant t
    left join app a on a.app_id = $2 and a.tenant_id = t.tenant_id
    left join resource_server r on r.audience = $3 and r.tenant_id = t.tenant_id
   where t.tenant_id = $1`;

const oneStatement = (what: RegisteredKind): string =>
  `select ${columns[what]} from ${tables[what]} ${what.charAt(0)} where ${ids[what]} = $1`;

interface Stored<Kind extends RegisteredKind> {
  readonly entry: Extract<Registered, { what: Kind }>['entry'];
  readonly disabled: boolean;
}

/** Null where there is no entry, or one that was not written under our key. */
function storedOf<Kind extends RegisteredKind>(what: Kind, row: Row, mac: Mac): Stored<Kind> | null {
  if (row.length === 0 || row[0] === null) return null;
  const entry = entryOf(what, row) as Stored<Kind>['entry'];
  const [storedMac, disabled] = row.slice(-2);
  return macOf(mac, { what, entry } as Registered) === storedMac ? { entry, disabled: disabled as boolean } : null;
}

function entryOf(what: RegisteredKind, row: Row): Registered['entry'] {
  switch (what) {
    case 'tenant': {
      const [tenantId, displayName, tokenTtlMax, firstPartyWithoutConsent] = row;
      return { tenantId, displayName, tokenTtlMax, firstPartyWithoutConsent } as Tenant;
    }
    case 'app': {
      const [appId, tenantId, displayName, clientType, hostingType, grants, methods, refresh, tokenTtlMax] = row;
      return { appId, tenantId, displayName, clientType, hostingType, grants, methods, refresh, tokenTtlMax } as App;
    }
    case 'resource_server': {
      const [audience, tenantId, displayName, scopes, releasedClaims, pairwiseSector, exchanges, tokenTtlMax] = row;
      const shown = { releasedClaims, pairwiseSector };
      return { audience, tenantId, displayName, scopes, ...shown, exchanges, tokenTtlMax } as ResourceServer;
    }
  }
}

/** The bytes of an entry that its mac is made over. */
export function macOf(mac: Mac, { what, entry }: Registered): string {
  switch (what) {
    case 'tenant':
      return mac(
        what,
        JSON.stringify([entry.tenantId, entry.displayName, entry.tokenTtlMax, entry.firstPartyWithoutConsent]),
      );
    case 'app':
      return mac(
        what,
        JSON.stringify([
          [entry.appId, entry.tenantId, entry.displayName, entry.clientType, entry.hostingType],
          entry.grants.map(({ audience, scopes }) => [audience, scopes]),
          [entry.methods, entry.tokenTtlMax],
          entry.refresh && [entry.refresh.ttlMax, entry.refresh.idleMax, entry.refresh.grace],
        ]),
      );
    case 'resource_server':
      return mac(
        what,
        JSON.stringify([
          [entry.audience, entry.tenantId, entry.displayName],
          entry.scopes.map(({ name, description }) => [name, description]),
          entry.exchanges.map(({ audience, scopes }) => [audience, scopes.map(({ from, to }) => [from, to])]),
          [entry.releasedClaims, entry.pairwiseSector, entry.tokenTtlMax],
        ]),
      );
  }
}

function registrationOf(mac: Mac, row: Row): Registration {
  const tenant = storedOf('tenant', row.slice(1, 7), mac);
  const app = storedOf('app', row.slice(7, 18), mac);
  const resourceServer = storedOf('resource_server', row.slice(18), mac);
  const disabled = new Set<RegisteredKind>();
  if (tenant?.disabled) disabled.add('tenant');
  if (app?.disabled) disabled.add('app');
  if (resourceServer?.disabled) disabled.add('resource_server');
  return {
    tenant: tenant?.entry ?? null,
    app: app?.entry ?? null,
    resourceServer: resourceServer?.entry ?? null,
    disabled,
    version: row[0] as number,
  };
}

const unknownRegistration: Registration = {
  tenant: null,
  app: null,
  resourceServer: null,
  disabled: new Set(),
  version: 0,
};

export interface RegistryOptions {
  readonly mac: Mac;
  readonly codec: AuditCodec;
  readonly instanceId: string;
}

/** The registry; what it finds is remembered until it is told to forget. */
export function registry(database: Database, { mac, codec, instanceId }: RegistryOptions): Registry {
  const remembered = new LRUCache<string, Map<string, Registration>>({ max: rememberedMax });
  const writer = new OutboxWriter(instanceId, codec);
  // One at a time, for the sake of the events' count.
  const create = gather(
    async ([wanted]: readonly { readonly registered: Registered; readonly event: AuditEvent }[]) => {
      if (wanted) await createOne(database, writer, mac, wanted.registered, wanted.event);
      return [undefined];
    },
    { batchMax: 1, lanes: 1, waitingMax: 1_000 },
  );

  function remember(tenantId: string, key: string, registration: Registration): void {
    const ofTenant = remembered.get(tenantId) ?? new Map<string, Registration>();
    if (ofTenant.size >= rememberedMax) ofTenant.clear();
    remembered.set(tenantId, ofTenant.set(key, registration));
  }

  return {
    async find(tenantId, appId, audience) {
      const key = JSON.stringify([appId, audience]);
      const known = remembered.get(tenantId)?.get(key);
      if (known) return known;
      const [row] = await database.query({
        name: 'registration',
        text: findStatement,
        values: [tenantId, appId, audience],
      });
      const registration = row ? registrationOf(mac, row) : unknownRegistration;
      if (registration.app && registration.resourceServer) remember(tenantId, key, registration);
      return registration;
    },

    forget(tenantId) {
      remembered.delete(tenantId);
    },

    async owner(what, id) {
      const [row] = await database.query({ name: `owner ${what}`, text: oneStatement(what), values: [id] });
      const stored = row ? storedOf(what, row, mac) : null;
      return stored && { tenantId: stored.entry.tenantId, disabled: stored.disabled };
    },

    async resourceServer(audience) {
      const text = oneStatement('resource_server');
      const [row] = await database.query({ name: 'resource server', text, values: [audience] });
      const stored = row ? storedOf('resource_server', row, mac) : null;
      return stored && { ...stored, etag: macOf(mac, { what: 'resource_server', entry: stored.entry }) };
    },

    create: (registered, event) => create({ registered, event }),
  };
}

async function createOne(
  database: Database,
  writer: OutboxWriter,
  mac: Mac,
  registered: Registered,
  event: AuditEvent,
): Promise<void> {
  try {
    await writer.writing(() =>
      database.transaction(async (query) => {
        if (registered.what !== 'tenant') await lockTenant(query, registered.entry.tenantId);
        await query(insertOf(registered, macOf(mac, registered)));
        await insertEvents(query, writer, [event], Date.now());
        return { written: 1 };
      }),
    );
  } catch (error) {
    const isTaken = error instanceof StatementRefused && error.sqlState === uniqueViolation;
    throw isTaken ? new AlreadyExists(registered.what) : error;
  }
}

/** By a random step, so that a database that was put back does not come to the same version with other content. */
export const versionRaised = 'registry_version = registry_version + 1 + (random() * 1000000)::bigint';

/** Raises the tenant's version, which every issuer's insert compares. */
async function lockTenant(query: Query, tenantId: string): Promise<void> {
  const text = `update tenant set ${versionRaised} where tenant_id = $1
                returning disabled_revision is not null`;
  const [row] = await query({ text, values: [tenantId] });
  if (!row) throw new TenantUnknown();
  if (row[0]) throw new Disabled('tenant');
}

function insertOf({ what, entry }: Registered, mac: string): { text: string; values: unknown[] } {
  switch (what) {
    case 'tenant':
      return {
        text: `insert into tenant (tenant_id, display_name, token_ttl_max, first_party_without_consent, mac)
               values ($1, $2, $3, $4, $5)`,
        values: [entry.tenantId, entry.displayName, entry.tokenTtlMax, entry.firstPartyWithoutConsent, mac],
      };
    case 'app':
      return {
        text: `insert into app (app_id, tenant_id, display_name, client_type, hosting_type, grants, methods, refresh, token_ttl_max, mac)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        values: [
          entry.appId,
          entry.tenantId,
          entry.displayName,
          entry.clientType,
          entry.hostingType,
          JSON.stringify(entry.grants),
          JSON.stringify(entry.methods),
          entry.refresh && JSON.stringify(entry.refresh),
          entry.tokenTtlMax,
          mac,
        ],
      };
    case 'resource_server':
      return {
        text: `insert into resource_server (audience, tenant_id, display_name, scopes, released_claims, pairwise_sector, exchanges, token_ttl_max, mac)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        values: [
          entry.audience,
          entry.tenantId,
          entry.displayName,
          JSON.stringify(entry.scopes),
          JSON.stringify(entry.releasedClaims),
          entry.pairwiseSector,
          JSON.stringify(entry.exchanges),
          entry.tokenTtlMax,
          mac,
        ],
      };
  }
}

/** What resource servers are shown, remembered for as long as no revision has changed it. */
export function releaseReader(database: Database, mac: Mac): ReleaseReader {
  let generation = -1;
  const remembered = new Map<string, Release>();

  async function read(audience: string): Promise<Release> {
    // One snapshot: the revision is that of what is read.
    const text = `select h.revision, ${columns.resource_server}
                    from history h left join resource_server r on r.audience = $1`;
    const [row] = await database.query({ name: 'release', text, values: [audience] });
    const [revision = 0, ...entry] = (row ?? []) as [number, ...unknown[]];
    const stored = storedOf('resource_server', entry, mac);
    const { releasedClaims = [], pairwiseSector = null } = stored?.entry ?? {};
    const release = { claims: releasedClaims, pairwiseSector, revision };
    if (stored) remembered.set(audience, release);
    return release;
  }

  return {
    releaseOf(audience, revision, now) {
      if (now !== generation) remembered.clear();
      generation = now;
      const known = remembered.get(audience);
      return known && known.revision >= revision ? known : read(audience);
    },
  };
}
