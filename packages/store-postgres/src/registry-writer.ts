import {
  AlreadyExists,
  type AuditEvent,
  type Change,
  composeChange,
  Disabled,
  drawRandom,
  EtagStale,
  type Head,
  inTurnOfEach,
  type Mac,
  type Registered,
  type RegistryWriter,
  registeredId,
  TenantUnknown,
  type WrappedKey,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { type Database, type Query, StatementRefused, uniqueViolation } from './database.ts';
import { advanceHistory, lockHistory } from './history-writer.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { macOf, tables, versionRaised } from './registry.ts';
import type { RevocationWriterOptions } from './revocation-writer.ts';

export interface RegistryWriterOptions extends RevocationWriterOptions {
  readonly mac: Mac;
}

interface Writing {
  readonly registered: Registered;
  /** Of the version that is replaced; null: the entry is new. */
  readonly replaces: string | null;
  /** Of a new tenant. */
  readonly tenantKey: WrappedKey | null;
  readonly event: AuditEvent;
  readonly change: Change | null;
}

const tenantOf = ({ registered }: Writing): string => registered.entry.tenantId;

interface Written {
  readonly etag: string;
  readonly head: Head | null;
}

/** Changes the registry: one thing at a time, for the sake of the events' count, and by turns of the tenants. */
export function registryWriter(
  database: Database,
  { chain, codec, instanceId, mac }: RegistryWriterOptions,
): RegistryWriter {
  const outbox = new OutboxWriter(instanceId, codec);

  const write = inTurnOfEach(tenantOf, async (writing: Writing): Promise<Written> => {
    const { registered, replaces, tenantKey, event, change } = writing;
    const row = rowOf(registered, mac);
    const { head } = await outbox.writing(() =>
      database.of([row.tenantId]).transaction(async (query) => {
        // Before the tenant, as everybody takes them.
        const revision = change && composeChange(await lockHistory(query, chain), change, chain);
        if (replaces === null) await insert(query, row, tenantKey);
        else await replace(query, row, replaces);
        if (revision) await advanceHistory(query, revision, chain, outbox);
        await insertEvents(query, outbox, [event], revision?.content.recordedAt ?? Date.now());
        return { head: revision?.revision ?? null, written: 1 };
      }),
    );
    return { etag: row.etag, head };
  });

  return {
    async create(registered, event, tenantKey) {
      try {
        return (await write({ registered, replaces: null, tenantKey, event, change: null })).etag;
      } catch (error) {
        const isTaken = error instanceof StatementRefused && error.sqlState === uniqueViolation;
        throw isTaken ? new AlreadyExists(registered.what) : error;
      }
    },
    replace: (registered, replaces, event, change) => write({ registered, replaces, tenantKey: null, event, change }),
  };
}

/** An entry as it is kept. */
interface EntryRow {
  readonly what: Registered['what'];
  readonly id: string;
  readonly tenantId: string;
  readonly text: string;
  readonly etag: string;
}

function rowOf({ what, entry }: Registered, mac: Mac): EntryRow {
  const [id, { tenantId }] = [registeredId(what, entry), entry];
  // Its etag names this version, also where another one says the same.
  const text = JSON.stringify({ ...entry, nonce: drawRandom(9).toString('base64url') });
  return { what, id, tenantId, text, etag: macOf(mac, what, id, tenantId, text) };
}

/** @throws TenantUnknown, Disabled */
async function insert(
  query: Query,
  { what, id, tenantId, text, etag }: EntryRow,
  tenantKey: WrappedKey | null,
): Promise<void> {
  const { table, id: column } = tables[what];
  if (what !== 'tenant') await raiseVersion(query, tenantId);
  const columns = what === 'tenant' ? column : `${column}, tenant_id`;
  const values = what === 'tenant' ? [text, etag, id] : [text, etag, id, tenantId];
  const places = what === 'tenant' ? '$3' : '$3, $4';
  await query({ text: `insert into ${table} (entry, mac, ${columns}) values ($1, $2, ${places})`, values });
  if (!tenantKey) return;
  const keyText = 'insert into tenant_key (tenant_id, data_key_id, wrapped) values ($1, $2, $3)';
  await query({ text: keyText, values: [id, tenantKey.dataKeyId, tenantKey.wrapped] });
}

/** @throws EtagStale, TenantUnknown, Disabled */
async function replace(query: Query, { what, id, tenantId, text, etag }: EntryRow, before: string): Promise<void> {
  await raiseVersion(query, tenantId);
  const { table, id: column } = tables[what];
  const replaced = await query({
    text: `update ${table} set entry = $1, mac = $2
            where ${column} = $3 and mac = $4 and disabled_revision is null returning mac`,
    values: [text, etag, id, before],
  });
  if (replaced.length === 0) throw new EtagStale();
}

/** Raises the tenant's version, which every issuer's insert compares; and holds the tenant's row until the end. @throws TenantUnknown, Disabled */
export async function raiseVersion(query: Query, tenantId: string): Promise<void> {
  const text = `update tenant set ${versionRaised} where tenant_id = $1
                returning disabled_revision is not null`;
  const [row] = await query({ text, values: [tenantId] });
  if (!row) throw new TenantUnknown();
  if (row[0]) throw new Disabled('tenant');
}
