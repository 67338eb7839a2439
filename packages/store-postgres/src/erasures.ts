import { type AuditCodec, type AuditEvent, type Erasure, type ErasureStore, inTurn } from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { type Database, run } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';

type Requested = Pick<Erasure, 'erasureId' | 'tenantId' | 'userHandle'>;

/** What is to be erased, and what has been. */
export function erasureStore(database: Database, instanceId: string, codec: AuditCodec): ErasureStore {
  const outbox = new OutboxWriter(instanceId, codec);
  const request = inTurn(async ({ erasure, event }: { readonly erasure: Requested; readonly event: AuditEvent }) => {
    const text = 'insert into erasure (erasure_id, tenant_id, user_handle) values ($1, $2, $3)';
    await outbox.writing(() =>
      database.transaction(async (query) => {
        await query({ text, values: [erasure.erasureId, erasure.tenantId, erasure.userHandle] });
        await insertEvents(query, outbox, [event], Date.now());
        return { written: 1 };
      }),
    );
  });

  return {
    request: (erasure, event) => request({ erasure, event }),

    async find(erasureId) {
      const text = `
        select tenant_id, user_handle, (extract(epoch from requested_at) * 1000)::bigint,
               (extract(epoch from erased_at) * 1000)::bigint
          from erasure where erasure_id = $1`;
      const [row] = await database.query({ name: 'erasure', text, values: [erasureId] });
      if (!row) return null;
      const [tenantId, userHandle, requestedAt, erasedAt] = row as [string, string, number, number | null];
      return { erasureId, tenantId, userHandle, requestedAt, erasedAt };
    },
  };
}

/** Whoever began to write a token before it was revoked has written it by then, or given up. */
const pauseSeconds = 10;
const erasedAtOnce = 1_000;
const dueStatement = `
  select erasure_id, user_handle from erasure
   where erased_at is null and requested_at < now() - interval '1 second' * ${pauseSeconds}
   order by requested_at limit ${erasedAtOnce}`;
const partitionsStatement = `select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
                              where i.inhparent = 'token'::regclass order by 1`;
/** Goes through all tokens: there is no index by user, since nothing that is often asked needs one. */
const timeout = '600s';
/** The advisory lock that lets one replica erase at a time. */
const erasureLock = 7_003_004;

/** Deletes what is kept of users who are to be erased. For the role touchstone_upkeep. Returns how many. @throws StoreUnavailable */
export async function eraseDue(database: Database): Promise<number> {
  const due = await database.query({ text: dueStatement });
  if (due.length === 0) return 0;
  const [ids, handles] = [due.map(([id]) => id), due.map(([, handle]) => handle)];
  const client = await database.connect();
  try {
    const [lock] = await run(client, { text: 'select pg_try_advisory_lock($1)', values: [erasureLock] });
    if (!lock?.[0]) return 0;
    await run(client, { text: `set statement_timeout = '${timeout}'` });
    for (const [partition] of await run(client, { text: partitionsStatement })) {
      const text = `
        with gone as (delete from ${partition} where user_handle = any($1) and token_class = 'token' returning id)
        delete from refresh_use where id in (select id from gone)`;
      await run(client, { text, values: [handles] });
    }
    await run(client, { text: 'delete from live_token where user_handle = any($1)', values: [handles] });
    for (const table of ['consent_use', 'consent_key', 'consent']) {
      const text = `delete from ${table} where consent_id in (select consent_id from consent where user_handle = any($1))`;
      await run(client, { text, values: [handles] });
    }
    await run(client, { text: 'update erasure set erased_at = now() where erasure_id = any($1)', values: [ids] });
    return due.length;
  } finally {
    await client.end();
  }
}
