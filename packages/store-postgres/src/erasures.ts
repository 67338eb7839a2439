import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AuditCodec,
  type AuditEvent,
  type ErasureRequest,
  type ErasureStore,
  inTurnOfEach,
  NotDisabled,
} from '@touchstone/core';
import type pg from 'pg';
import { locks } from './advisory-locks.ts';
import { insertEvents } from './audit-writer.ts';
import { close, type Database, run, statementMilliseconds } from './database.ts';
import { millisecondsOf } from './instants.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { drawnSecondsMax } from './token-rows.ts';

/** Of a tenant that has been disabled, or of a user. */
const requestStatement = `
  insert into erasure (erasure_id, tenant_id, user_handle, ceiling, revision)
  select $1::text, $2::text, $3::text, $4::bigint, $5::bigint
   where $3 is not null or exists (select from tenant where tenant_id = $2 and disabled_revision is not null)
  returning erasure_id`;

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
      const { erasureId, tenantId, userHandle, revocation } = erasure;
      const values = [erasureId, tenantId, userHandle, revocation?.ceiling, revocation?.head.revision];
      await outbox.writing(() =>
        database.of([tenantId]).transaction(async (query) => {
          // Whoever was read to have disabled the tenant may have been a server that is not in force.
          if ((await query({ text: requestStatement, values })).length === 0) throw new NotDisabled('tenant');
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
        select tenant_id, user_handle, ${millisecondsOf('requested_at')}, ${millisecondsOf('erased_at')}
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
const restMillisecondsMax = 120_000;
/** For what only reads, and for what is deleted in pieces: a piece is done long before. */
const timeoutMilliseconds = 600_000;
/** How many pages of tokens, and how many consents, one statement goes through: while it does, its locks and its transaction stand. */
const pagesAtOnce = 4_000;
const consentsAtOnce = 2_000;
/** Less than it takes the server to look for a deadlock: a revocation that wants the same rows is not the one that is given up. */
const giveWayMilliseconds = 500;

/** Users go together, by one walk through all tokens; tenants beside them and one by one, for one may have many. */
export type Erased = 'users' | 'tenants';

/**
 * Deletes what is to be erased, in pieces that each are committed by themselves, and rests before another replica may go on:
 * ten times as long as that took. For the role touchstone_upkeep.
 *
 * @returns how many users or tenants.
 * @throws StoreUnavailable
 */
export async function eraseDue(database: Database, erased: Erased, signal: AbortSignal): Promise<number> {
  const { dueStatement, lock, ...rows } = erasing[erased];
  const due = (await database.query({ text: dueStatement })).map(([id]) => id as string);
  if (due.length === 0) return 0;
  const client = await database.connect(timeoutMilliseconds);
  try {
    const [locked] = await run(client, { text: 'select pg_try_advisory_lock($1)', values: [lock] });
    if (!locked?.[0]) return 0;
    await run(client, { text: `set lock_timeout = ${giveWayMilliseconds}` });
    await withRest(signal, async () => {
      await deleteTokens(client, due, rows.tokens, signal);
      await deleteConsents(client, due, rows.consents, signal);
      for (const text of rows.others) await run(client, { text, values: [due] });
      await run(client, { text: 'update erasure set erased_at = now() where erasure_id = any($1)', values: [due] });
    });
    return due.length;
  } finally {
    await close(client);
  }
}

/** Else the database would go through all tokens all the time, where there is always somebody to erase. */
async function withRest(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const begunAt = performance.now();
  try {
    await work();
  } finally {
    const rest = Math.min(10 * (performance.now() - begunAt), restMillisecondsMax);
    await sleep(rest, undefined, { signal }).catch(() => {});
  }
}

/** Goes through all tokens: there is no index by user or by tenant, since nothing that is often asked needs one. */
async function deleteTokens(
  client: pg.Client,
  due: readonly string[],
  chosen: string,
  signal: AbortSignal,
): Promise<void> {
  for (const [partition, pages] of await run(client, { text: partitionsStatement })) {
    const text = tokenDeletion(partition as string, chosen);
    for (let page = 0; page < (pages as number); page += pagesAtOnce) {
      signal.throwIfAborted();
      await run(client, { text, values: [due, `(${page},0)`, `(${page + pagesAtOnce},0)`] });
    }
  }
}

/** What refers to them goes before them. They are looked for once: what has been deleted need not be passed over again. */
async function deleteConsents(
  client: pg.Client,
  due: readonly string[],
  which: string,
  signal: AbortSignal,
): Promise<void> {
  await run(client, { text: `declare gone cursor with hold for ${which}`, values: [due] });
  for (;;) {
    signal.throwIfAborted();
    const ids = (await run(client, { text: `fetch ${consentsAtOnce} from gone` })).map(([id]) => id);
    if (ids.length === 0) return;
    for (const table of ['consent_use', 'consent_key', 'consent'])
      await run(client, { text: `delete from ${table} where consent_id = any($1)`, values: [ids] });
  }
}

const partitionsStatement = `
  select c.oid::regclass::text, pg_relation_size(c.oid) / current_setting('block_size')::int
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = 'token'::regclass order by 1`;

/** By arrays: for a join the server may read the whole of a table once for each piece. */
const tokenDeletion = (partition: string, chosen: string): string => `
  with gone as (
    delete from ${partition} t using erasure e
     where t.ctid >= $2::tid and t.ctid < $3::tid and e.erasure_id = any($1) and ${chosen} returning t.id
  ),
  renewed as (delete from refresh_use where id = any(array(select id from gone))),
  used as (delete from token_use where id = any(array(select id from gone)))
  delete from live_token where id = any(array(select id from gone))`;

const dueStatementOf = (user: 'null' | 'not null', atOnce: number): string => `
  select erasure_id from erasure
   where erased_at is null and user_handle is ${user} and requested_at < now() - interval '1 second' * ${pauseSeconds}
   order by requested_at limit ${atOnce}`;

const tenantsGone = 'select tenant_id from erasure where erasure_id = any($1)';

/** What of each kind is deleted, in SQL, and the advisory lock that lets one replica do it at a time. */
const erasing = {
  users: {
    lock: locks.userErasure,
    dueStatement: dueStatementOf('not null', 1_000),
    /**
     * A user may come back: what was born after all had been revoked stays, whatever the clock says; but for what was derived
     * meanwhile from what had been born before, and for what rests on a consent that ended with it, which are honoured as little.
     */
    tokens: `
      t.tenant_id = e.tenant_id and t.user_handle = e.user_handle and t.token_class = 'token'
      and (t.sequence <= e.ceiling
           or exists (select from jsonb_array_elements(t.lineage) a
                       where a ->> 'userHandle' = e.user_handle and (a ->> 'sequence')::bigint <= e.ceiling)
           or t.consent_id in (select c.consent_id from consent c
                                where c.tenant_id = e.tenant_id and c.user_handle = e.user_handle
                                  and c.disabled_revision <= e.revision))`,
    consents: `
      select c.consent_id from consent c join erasure e using (tenant_id, user_handle)
       where e.erasure_id = any($1) and c.disabled_revision <= e.revision`,
    others: [],
  },
  tenants: {
    lock: locks.tenantErasure,
    dueStatement: dueStatementOf('null', 1),
    tokens: 't.tenant_id = e.tenant_id',
    consents: `select consent_id from consent where tenant_id in (${tenantsGone})`,
    /**
     * The rows of a tenant, of its apps and of its resource servers stay, and say nothing: whoever had one of the names would be
     * taken for the former one, by verifiers that know a token by its audience alone.
     */
    others: [
      `delete from scope_use where app_id in (select app_id from app where tenant_id in (${tenantsGone}))`,
      ...['policy', 'signing_key', 'tenant_key'].map(
        (table) => `delete from ${table} where tenant_id in (${tenantsGone})`,
      ),
      ...['resource_server', 'app', 'tenant'].map(
        (table) => `update ${table} set entry = '', mac = '' where tenant_id in (${tenantsGone})`,
      ),
    ],
  },
} as const;
