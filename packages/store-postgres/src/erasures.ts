import {
  type AuditCodec,
  type AuditEvent,
  type ErasureRequest,
  type ErasureStore,
  inTurnOfEach,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { close, type Database, run, statementMilliseconds } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { drawnSecondsMax } from './token-rows.ts';

interface Requested {
  readonly erasure: ErasureRequest;
  readonly event: AuditEvent;
}

/** What is to be erased, and what has been. */
export function erasureStore(database: Database, instanceId: string, codec: AuditCodec): ErasureStore {
  const outbox = new OutboxWriter(instanceId, codec);
  const request = inTurnOfEach(
    ({ erasure }: Requested) => erasure.tenantId,
    async ({ erasure, event }: Requested) => {
      const text =
        'insert into erasure (erasure_id, tenant_id, user_handle, ceiling, revision) values ($1, $2, $3, $4, $5)';
      const { erasureId, tenantId, userHandle, revocation } = erasure;
      const values = [erasureId, tenantId, userHandle, revocation?.ceiling, revocation?.head.revision];
      await outbox.writing(() =>
        database.of([tenantId]).transaction(async (query) => {
          await query({ text, values });
          await insertEvents(query, outbox, [event], Date.now());
          return { written: 1 };
        }),
      );
    },
  );

  return {
    request: (erasure, event) => request({ erasure, event }),

    async find(erasureId, tenantIds) {
      const text = `
        select tenant_id, user_handle, (extract(epoch from requested_at) * 1000)::bigint,
               (extract(epoch from erased_at) * 1000)::bigint
          from erasure where erasure_id = $1`;
      const [row] = await database.of(tenantIds).query({ name: 'erasure', text, values: [erasureId] });
      if (!row) return null;
      const [tenantId, userHandle, requestedAt, erasedAt] = row as [string, string | null, number, number | null];
      return { erasureId, tenantId, userHandle, requestedAt, erasedAt };
    },
  };
}

/**
 * Whoever had drawn a sequence before all was revoked has stored its token by then, or stores it no more: that was begun within
 * `drawnSecondsMax`, and a statement, a pause between two of them and a commit that take too long are given up.
 */
const pauseSeconds = drawnSecondsMax + (3 * statementMilliseconds) / 1_000 + 2;
const erasedAtOnce = 1_000;
const dueStatement = `
  select erasure_id from erasure
   where erased_at is null and requested_at < now() - interval '1 second' * ${pauseSeconds}
   order by requested_at limit ${erasedAtOnce}`;
const partitionsStatement = `select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
                              where i.inhparent = 'token'::regclass order by 1`;
/** Goes through all tokens: there is no index by user, since nothing that is often asked needs one. */
const timeoutMilliseconds = 600_000;
/** The advisory lock that lets one replica erase at a time. */
const erasureLock = 7_003_004;

/** Deletes what is to be erased. For the role touchstone_upkeep. Returns how many users and tenants. @throws StoreUnavailable */
export async function eraseDue(database: Database): Promise<number> {
  const due = (await database.query({ text: dueStatement })).map(([id]) => id);
  if (due.length === 0) return 0;
  const client = await database.connect(timeoutMilliseconds);
  try {
    const [lock] = await run(client, { text: 'select pg_try_advisory_lock($1)', values: [erasureLock] });
    if (!lock?.[0]) return 0;
    const partitions = await run(client, { text: partitionsStatement });
    const ofTokens = partitions.flatMap(([partition]) =>
      [ofUsers, ofTenants].map((chosen) => tokenDeletion(partition as string, chosen)),
    );
    const statements = [...ofTokens, ...deletions];
    for (const text of statements) await run(client, { text, values: [due] });
    await run(client, { text: 'update erasure set erased_at = now() where erasure_id = any($1)', values: [due] });
    return due.length;
  } finally {
    await close(client);
  }
}

// Users and tenants apart: under an `or` each token would be compared with each erasure of its tenant.
const ofTenants = 't.tenant_id = e.tenant_id and e.user_handle is null';
/**
 * A user may come back: what was born after all had been revoked stays, whatever the clock says; but for what was derived
 * meanwhile from what had been born before, and for what rests on a consent that ended with it, which are honoured as little.
 */
const ofUsers = `
  t.tenant_id = e.tenant_id and t.user_handle = e.user_handle and t.token_class = 'token'
  and (t.sequence <= e.ceiling
       or exists (select from jsonb_array_elements(t.lineage) a
                   where a ->> 'userHandle' = e.user_handle and (a ->> 'sequence')::bigint <= e.ceiling)
       or t.consent_id in (select c.consent_id from consent c
                            where c.tenant_id = e.tenant_id and c.user_handle = e.user_handle
                              and c.disabled_revision <= e.revision))`;
const tokenDeletion = (partition: string, chosen: string): string => `
  with gone as (
    delete from ${partition} t using erasure e where e.erasure_id = any($1) and ${chosen} returning t.id
  ),
  renewed as (delete from refresh_use where id in (select id from gone)),
  used as (delete from token_use where id in (select id from gone))
  delete from live_token where id in (select id from gone)`;
const consentsGone = `
  select c.consent_id from consent c join erasure e using (tenant_id, user_handle)
   where e.erasure_id = any($1) and c.disabled_revision <= e.revision
  union all
  select c.consent_id from consent c join erasure e using (tenant_id)
   where e.erasure_id = any($1) and e.user_handle is null`;
const tenantsGone = 'select tenant_id from erasure where erasure_id = any($1) and user_handle is null';
/**
 * What refers to something goes before it. The rows of a tenant, of its apps and of its resource servers stay, and say nothing:
 * whoever had one of the names would be taken for the former one, by verifiers that know a token by its audience alone.
 */
const deletions = [
  ...['consent_use', 'consent_key', 'consent'].map(
    (table) => `delete from ${table} where consent_id in (${consentsGone})`,
  ),
  `delete from scope_use where app_id in (select app_id from app where tenant_id in (${tenantsGone}))`,
  ...['policy', 'signing_key', 'tenant_key'].map((table) => `delete from ${table} where tenant_id in (${tenantsGone})`),
  ...['resource_server', 'app', 'tenant'].map(
    (table) => `update ${table} set entry = '', mac = '' where tenant_id in (${tenantsGone})`,
  ),
];
