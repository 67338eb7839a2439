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
  type ReleaseReader,
  TenantUnknown,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { type Database, type Query, type Row, StatementRefused, uniqueViolation } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';

/** How many (tenant, app, audience) are remembered. */
const rememberedMax = 10_000;

const tables = { tenant: 'tenant', app: 'app', resource_server: 'resource_server' } as const;
const ids = { tenant: 'tenant_id', app: 'app_id', resource_server: 'audience' } as const;

const findStatement = `
  select n.tenant_id, n.display_name, n.token_ttl_max, n.mac, n.disabled_revision is not null, n.registry_version,
         a.app_id, a.display_name, a.client_type, a.hosting_type, a.grants, a.methods, a.token_ttl_max, a.mac,
         a.disabled_revision is not null,
         s.audience, s.display_name, s.scopes, s.released_claims, s.token_ttl_max, s.mac,
         s.disabled_revision is not null
    from tenant n
    left join app a on a.app_id = $2 and a.tenant_id = n.tenant_id
    left join resource_server s on s.audience = $3 and s.tenant_id = n.tenant_id
   where n.tenant_id = $1`;

/** The bytes of an entry that its mac is made over. */
function macOf(mac: Mac, { what, entry }: Registered): string {
  switch (what) {
    case 'tenant':
      return mac(what, JSON.stringify([entry.tenantId, entry.displayName, entry.tokenTtlMax]));
    case 'app':
      return mac(
        what,
        JSON.stringify([
          [entry.appId, entry.tenantId, entry.displayName, entry.clientType, entry.hostingType],
          entry.grants.map(({ audience, scopes }) => [audience, scopes]),
          [entry.methods, entry.tokenTtlMax],
        ]),
      );
    case 'resource_server':
      return mac(
        what,
        JSON.stringify([
          [entry.audience, entry.tenantId, entry.displayName],
          entry.scopes.map(({ name, description }) => [name, description]),
          [entry.releasedClaims, entry.tokenTtlMax],
        ]),
      );
  }
}

/** Null where there is no entry, or one that was not written under our key. */
function genuine<Entry extends Registered>(mac: Mac, registered: Entry, stored: unknown): Entry['entry'] | null {
  return macOf(mac, registered) === stored ? registered.entry : null;
}

function registrationOf(mac: Mac, row: Row): Registration {
  const [tenantId, displayName, tokenTtlMax, tenantMac, tenantDisabled, version] = row as [
    string,
    string,
    number,
    string,
    boolean,
    number,
  ];
  const [appId, appName, clientType, hostingType, grants, methods, appTtlMax, appMac, appDisabled] = row.slice(6);
  const [audience, serverName, scopes, releasedClaims, serverTtlMax, serverMac, serverDisabled] = row.slice(15);
  const app = {
    appId,
    tenantId,
    displayName: appName,
    clientType,
    hostingType,
    grants,
    methods,
    tokenTtlMax: appTtlMax,
  } as App;
  const resourceServer = resourceServerOf([audience, tenantId, serverName, scopes, releasedClaims, serverTtlMax]);
  const disabled = new Set<RegisteredKind>();
  if (tenantDisabled) disabled.add('tenant');
  if (appDisabled) disabled.add('app');
  if (serverDisabled) disabled.add('resource_server');
  return {
    tenant: genuine(mac, { what: 'tenant', entry: { tenantId, displayName, tokenTtlMax } }, tenantMac),
    app: appId === null ? null : genuine(mac, { what: 'app', entry: app }, appMac),
    resourceServer:
      audience === null ? null : genuine(mac, { what: 'resource_server', entry: resourceServer }, serverMac),
    disabled,
    version,
  };
}

function resourceServerOf(row: Row): Extract<Registered, { what: 'resource_server' }>['entry'] {
  const [audience, tenantId, displayName, scopes, releasedClaims, tokenTtlMax] = row;
  return { audience, tenantId, displayName, scopes, releasedClaims, tokenTtlMax } as ReturnType<
    typeof resourceServerOf
  >;
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
  const remembered = new Map<string, Map<string, Registration>>();
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
    if (remembered.size >= rememberedMax) remembered.clear();
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
      const text = `select tenant_id, disabled_revision is not null from ${tables[what]} where ${ids[what]} = $1`;
      const [row] = await database.query({ name: `owner ${what}`, text, values: [id] });
      return row ? { tenantId: row[0] as string, disabled: row[1] as boolean } : null;
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

/** Raises the tenant's version, which every issuer's insert compares. */
async function lockTenant(query: Query, tenantId: string): Promise<void> {
  const text = `update tenant set registry_version = registry_version + 1 where tenant_id = $1
                returning disabled_revision is not null`;
  const [row] = await query({ text, values: [tenantId] });
  if (!row) throw new TenantUnknown();
  if (row[0]) throw new Disabled('tenant');
}

function insertOf({ what, entry }: Registered, mac: string): { text: string; values: unknown[] } {
  switch (what) {
    case 'tenant':
      return {
        text: 'insert into tenant (tenant_id, display_name, token_ttl_max, mac) values ($1, $2, $3, $4)',
        values: [entry.tenantId, entry.displayName, entry.tokenTtlMax, mac],
      };
    case 'app':
      return {
        text: `insert into app (app_id, tenant_id, display_name, client_type, hosting_type, grants, methods, token_ttl_max, mac)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        values: [
          entry.appId,
          entry.tenantId,
          entry.displayName,
          entry.clientType,
          entry.hostingType,
          JSON.stringify(entry.grants),
          JSON.stringify(entry.methods),
          entry.tokenTtlMax,
          mac,
        ],
      };
    case 'resource_server':
      return {
        text: `insert into resource_server (audience, tenant_id, display_name, scopes, released_claims, token_ttl_max, mac)
               values ($1, $2, $3, $4, $5, $6, $7)`,
        values: [
          entry.audience,
          entry.tenantId,
          entry.displayName,
          JSON.stringify(entry.scopes),
          JSON.stringify(entry.releasedClaims),
          entry.tokenTtlMax,
          mac,
        ],
      };
  }
}

/** Release lists don't change once they are registered, so what has been read is remembered. */
export function releaseReader(database: Database, mac: Mac): ReleaseReader {
  const remembered = new Map<string, readonly string[]>();
  const text = `select audience, tenant_id, display_name, scopes, released_claims, token_ttl_max, mac
                  from resource_server where audience = $1`;

  return {
    async releasedClaims(audience) {
      const known = remembered.get(audience);
      if (known) return known;
      const [row] = await database.query({ name: 'releases', text, values: [audience] });
      const entry = row && genuine(mac, { what: 'resource_server', entry: resourceServerOf(row) }, row[6]);
      if (entry) remembered.set(audience, entry.releasedClaims);
      return entry?.releasedClaims ?? [];
    },
  };
}
