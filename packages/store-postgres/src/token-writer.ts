import {
  type AuditCodec,
  type Birth,
  gather,
  type NewToken,
  type RefreshUse,
  type Room,
  StoreUnavailable,
  type TokenWriter,
  TooManyTokens,
  type UsedBefore,
} from '@touchstone/core';
import { type Database, type Query, StatementRefused } from './database.ts';
import { OutboxWriter, outboxFields } from './outbox-rows.ts';
import { fieldsOf, insertColumns, recordFields, recordJson, recordOf } from './token-rows.ts';

const drawStatement = `
  select nextval('token_sequence'), (extract(epoch from now()) * 1000)::bigint from generate_series(1, $1::int)`;

/**
 * Inserts the rows whose tenant's registry still is at the version they were decided under - credentials, which no
 * registry decides, have version 0 - and whose consent has not been withdrawn, and an event for each of them. Returns the
 * ids that were inserted.
 */
const insertStatement = `
  with wanted as (select * from json_to_recordset($1) as r (${recordFields}, ${outboxFields})),
  inserted as (
    insert into token (${insertColumns})
    select ${insertColumns} from wanted w
     where (w.policy_version = 0
            or w.policy_version = (select n.registry_version from tenant n where n.tenant_id = w.tenant_id))
       and (w.consent_id is null
            or exists (select from consent c where c.consent_id = w.consent_id and c.disabled_revision is null))
    on conflict do nothing
    returning id
  ),
  recorded as (
    insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
    select w.event_id, w.tenant_id, w.payload, w.occurred_at, $2, $3 + row_number() over ()
      from inserted join wanted w using (id)
  )
  select id from inserted`;

/** Taken once: who comes second waits for the first one's commit, and gets none. */
const useStatement = `
  insert into refresh_use (id, used_at, request, answer, expires_at) values ($1, clock_timestamp(), $2, $3, $4)
  on conflict do nothing returning id`;

const usedStatement = `
  select request, answer, (extract(epoch from clock_timestamp() - used_at) * 1000)::bigint from refresh_use where id = $1`;

/** Takes the transaction back; nobody outside hears of it. */
class Stale extends Error {
  readonly code = 'stale';
}

/** Issues: concurrent requests are gathered into one statement, and each is answered after its commit. */
export function tokenWriter(database: Database, instanceId: string, codec: AuditCodec): TokenWriter {
  const single = new OutboxWriter(instanceId, codec);
  // Who waits for room keeps nobody else waiting.
  const together = { plain: new OutboxWriter(instanceId, codec), roomy: new OutboxWriter(instanceId, codec) };

  async function insertAll(
    insertions: readonly NewToken[],
    query = database.write,
    writer = single,
  ): Promise<{ ids: Set<string>; written: number }> {
    const rows = insertions.map(({ record, event }) => ({
      ...fieldsOf(record),
      ...writer.fieldsOf(event, record.issuedAt),
    }));
    const values = [JSON.stringify(rows), writer.name, writer.count];
    const inserted = await query({ name: 'issue', text: insertStatement, values });
    return { ids: new Set(inserted.map(([id]) => (id as string).replaceAll('-', ''))), written: inserted.length };
  }

  async function insertEach(insertions: readonly NewToken[]): Promise<(boolean | Error)[]> {
    try {
      const { ids } = await single.writing(() => insertAll(insertions));
      return insertions.map(({ record }) => ids.has(record.key.key));
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      // One row that the database refuses must not fail the others: alone, each shows which it is.
      if (insertions.length === 1) return [new StoreUnavailable(error)];
      const outcomes: (boolean | Error)[] = [];
      for (const one of insertions) outcomes.push(...(await insertEach([one])));
      return outcomes;
    }
  }

  const draw = gather<null, Birth>(
    async (requests) => {
      const rows = await database.query({ name: 'draw', text: drawStatement, values: [requests.length] });
      return rows.map(([sequence, now]) => ({ sequence: sequence as number, now: now as number }));
    },
    { batchMax: 1_000, lanes: 1, waitingMax: 20_000 },
  );
  // One at a time, for the sake of the events' count; what arrives meanwhile makes the next batch the larger.
  const insert = gather<NewToken, boolean>(insertEach, { batchMax: 500, lanes: 1, waitingMax: 20_000 });

  async function writeTogether({ tokens, use, room }: Together): Promise<boolean | UsedBefore> {
    const writer = room ? together.roomy : together.plain;
    try {
      const { outcome } = await writer.writing(() =>
        database.transaction(async (query) => {
          const before = use && (await takeUse(query, use));
          if (before) return { outcome: before, written: 0 };
          if (room) await takeRoom(query, tokens.at(-1) as NewToken, room);
          const { written } = await insertAll(tokens, query, writer);
          if (written < tokens.length) throw new Stale();
          return { outcome: true, written };
        }),
      );
      return outcome;
    } catch (error) {
      if (error instanceof Stale) return false;
      throw error;
    }
  }
  const laneOf = () =>
    gather<Together, boolean | UsedBefore>(async ([one]) => [await writeTogether(one as Together)], {
      batchMax: 1,
      lanes: 1,
      waitingMax: 20_000,
    });
  const lanes = { plain: laneOf(), roomy: laneOf() };

  return {
    draw: (signal) => draw(null, signal),
    insert: (record, event, signal) => insert({ record, event }, signal),
    insertTogether: (tokens, use, room, signal) => (room ? lanes.roomy : lanes.plain)({ tokens, use, room }, signal),
  };
}

interface Together {
  readonly tokens: readonly NewToken[];
  readonly use: RefreshUse | null;
  readonly room: Room | null;
}

const lockStatement = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';
const aliveStatement = `
  select ${recordJson} from live_token l join token t on t.expiry_day = l.expiry_day and t.id = l.id
   where l.app_id = $1 and l.user_handle = $2 and l.expires_at > clock_timestamp()
     and t.tenant_id = $3 and t.token_class = 'token' and t.app_id = l.app_id and coalesce(t.user_handle, '') = l.user_handle
   order by t.sequence`;
const roomStatement = `
  insert into live_token (expiry_day, id, app_id, user_handle, expires_at) values ($1, $2, $3, $4, $5)`;

/** One after the other, of those who want it for the same app and user. @throws TooManyTokens */
async function takeRoom(query: Query, { record }: NewToken, { max, isAlive, end }: Room): Promise<void> {
  const { key, tenantId, appId, userHandle, expiresAt } = record;
  await query({ text: lockStatement, values: [JSON.stringify([appId, userHandle])] });
  const rows = await query({ text: aliveStatement, values: [appId, userHandle ?? '', tenantId] });
  const alive = rows.map(([values]) => recordOf(values as unknown[])).filter(isAlive);
  if (alive.length >= max && !end) throw new TooManyTokens(max);
  if (alive.length >= max) await end?.(alive.slice(0, alive.length - max + 1));
  const values = [key.partition, key.key, appId, userHandle ?? '', new Date(expiresAt)];
  await query({ text: roomStatement, values });
}

/** Null where it is the first use. */
async function takeUse(query: Query, { key, request, answer, expiresAt }: RefreshUse): Promise<UsedBefore | null> {
  const taken = await query({ text: useStatement, values: [key.key, request, answer, new Date(expiresAt)] });
  if (taken.length > 0) return null;
  const [row] = await query({ text: usedStatement, values: [key.key] });
  const [usedRequest, usedAnswer, age] = row as [string, Buffer, number];
  return { request: usedRequest, answer: usedAnswer, age };
}
