import {
  type AuditCodec,
  type Birth,
  gather,
  inTurnOfEach,
  type NewToken,
  type NewTokenRecord,
  type RefreshUse,
  type Room,
  StoreUnavailable,
  type TokenKey,
  type TokenWriter,
  TooManyTokens,
  type UsedBefore,
} from '@touchstone/core';
import { isSettled, requireSettled } from './census.ts';
import { type Database, type Query, StatementRefused } from './database.ts';
import { thisServer } from './history-rows.ts';
import { millisecondsOf } from './instants.ts';
import { OutboxWriter, outboxFields } from './outbox-rows.ts';
import { recordsOf } from './record-reader.ts';
import { drawnSecondsMax, fieldsOf, insertColumns, lastDrawn, recordFields } from './token-rows.ts';

const drawStatement = `
  select nextval('token_sequence'), ${millisecondsOf('now()')}, ${thisServer} from generate_series(1, $1::int)`;

/**
 * Which rows may be stored: those whose tenant's registry still is at the version they were decided under - credentials, which
 * no registry decides, have version 0 - and whose consent has not been withdrawn.
 *
 * A sequence that was not drawn here comes from a server that was cut off, or of which an older state was restored: the next
 * revocation's ceiling would lie below it, or, since a standby takes up to 32 more for drawn than were, the last one's above it.
 * One that was drawn too long ago may be an erased user's, and what there was of that one has been looked for by now.
 *
 * @param at the first of the parameters that `standingValues` gives.
 */
const standing = (at: number): string => `
  w.drawn_on = ${thisServer}
  and w.sequence <= (select ${lastDrawn} from token_sequence)
  and abs(extract(epoch from clock_timestamp() - w.issued_at)) < ${drawnSecondsMax}
  and (w.policy_version = 0
       or (w.tenant_id, w.policy_version) in (select v.tenant_id, v.version from registry_versions($${at}) v))
  and (w.consent_id is null
       or (w.tenant_id, w.consent_id) in (select g.tenant_id, g.consent_id from consents_given($${at + 1}, $${at + 2}) g))`;

function standingValues(records: readonly NewTokenRecord[]): unknown[] {
  const decided = records.filter(({ policyVersion }) => policyVersion > 0);
  const given = records.filter(({ consentId }) => consentId !== null);
  return [
    [...new Set(decided.map(({ tenantId }) => tenantId))],
    given.map(({ tenantId }) => tenantId),
    given.map(({ consentId }) => consentId),
  ];
}

/**
 * Inserts the rows that may be stored, and an event for each of them. Returns their ids, each with how many were inserted.
 * Nothing is read of the table, for nobody may.
 */
const insertStatement = `
  with wanted as (select * from json_to_recordset($1) as r (${recordFields}, ${outboxFields})),
  standing as (select * from wanted w where ${standing(4)}),
  inserted as (insert into token (${insertColumns}) select ${insertColumns} from standing returning 1),
  recorded as (
    insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
    select s.event_id, s.tenant_id, s.payload, s.occurred_at, $2, $3 + row_number() over () from standing s
  )
  select id, (select count(*) from inserted) from standing`;

const standingStatement = `select w.id from json_to_recordset($1) as w (${recordFields}) where ${standing(2)}`;

const waitingMax = 20_000;
/** As many as are written within `drawnSecondsMax`: what waits for longer is not stored, and drawn and made once more. */
const togetherMax = 2_000;

/** Taken once: who comes second waits for the first one's commit, and gets none. */
const useStatement = `
  insert into refresh_use (id, used_at, request, answer, expires_at) values ($1, clock_timestamp(), $2, $3, $4)
  on conflict do nothing returning id`;

const usedStatement = `
  select request, answer, ${millisecondsOf('clock_timestamp() - used_at')}, ${isSettled}
    from refresh_use where id = $1`;

/** Takes the transaction back; nobody outside hears of it. */
class Stale extends Error {
  readonly code = 'stale';
}

/** Issues: concurrent requests are gathered into one statement, and each is answered after its commit. */
export function tokenWriter(database: Database, instanceId: string, codec: AuditCodec): TokenWriter {
  const single = new OutboxWriter(instanceId, codec);

  async function insertAll(
    insertions: readonly NewToken[],
    query: Query,
    writer: OutboxWriter,
  ): Promise<{ ids: Set<string>; written: number }> {
    const rows = insertions.map(({ record, event }) => ({
      ...fieldsOf(record),
      ...writer.fieldsOf(event, record.issuedAt),
    }));
    const values = [JSON.stringify(rows), writer.name, writer.count, ...standingValues(recordsIn(insertions))];
    const inserted = await query({ name: 'issue', text: insertStatement, values });
    // A trigger, or a rule, can make a write vanish without an error.
    if (inserted.some(([, count]) => count !== inserted.length)) {
      throw new StoreUnavailable(new Error('the database did not keep what was written'));
    }
    return { ids: new Set(inserted.map(([id]) => (id as string).replaceAll('-', ''))), written: inserted.length };
  }

  async function insertEach(insertions: readonly NewToken[]): Promise<(boolean | Error)[]> {
    try {
      const { ids } = await single.writing(() => insertAll(insertions, database.write, single));
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

  const draw = gather<string, Birth>(
    async (tenantIds) => {
      const rows = await database.query({ name: 'draw', text: drawStatement, values: [tenantIds.length] });
      return (rows as [number, number, string][]).map(([sequence, now, server]) => ({ sequence, now, server }));
    },
    { batchMax: 1_000, lanes: 1, waitingMax },
    { keyOf: (tenantId) => tenantId },
  );
  // One at a time, for the sake of the events' count; what arrives meanwhile makes the next batch the larger.
  const insert = gather<NewToken, boolean>(
    insertEach,
    { batchMax: 500, lanes: 1, waitingMax },
    { keyOf: ({ record }) => record.tenantId },
  );

  async function writeTogether({ tokens, use, room }: Together, writer: OutboxWriter) {
    const write = (): Promise<Written> =>
      database.transaction(async (query) => {
        const before = use && (await takeUse(query, use));
        if (before) return { outcome: before, written: 0 };
        if (room) {
          const newest = tokens.at(-1) as NewToken;
          await lockRoom(query, newest);
          // Else others would end, or this one be refused, by what is remembered of a policy. It can be replaced during the wait.
          await requireStanding(query, tokens);
          await takeRoom(query, newest, room);
        }
        const { written } = await insertAll(tokens, query, writer);
        if (written < tokens.length) throw new Stale();
        return { outcome: true, written };
      });
    const takenBack = (error: unknown): Written => {
      if (error instanceof Stale) return { outcome: false, written: 0 };
      throw error;
    };
    try {
      return (await writer.writing(() => write().catch(takenBack))).outcome;
    } catch (error) {
      throw error instanceof StatementRefused ? new StoreUnavailable(error) : error;
    }
  }
  const laneOf = (writer = new OutboxWriter(instanceId, codec)) =>
    inTurnOfEach(tenantOf, (together: Together) => writeTogether(together, writer), togetherMax);
  // Who waits for room keeps nobody else waiting.
  const lanes = { plain: laneOf(), roomy: laneOf() };

  return {
    draw: (tenantId, signal) => draw(tenantId, signal),
    insert: (record, event, signal) => insert({ record, event }, signal),
    insertTogether: (tokens, use, room, signal) => (room ? lanes.roomy : lanes.plain)({ tokens, use, room }, signal),
    findUse: (key) => findUse(database.query, key),
  };
}

interface Together {
  readonly tokens: readonly NewToken[];
  readonly use: RefreshUse | null;
  readonly room: Room | null;
}

interface Written {
  readonly outcome: boolean | UsedBefore;
  readonly written: number;
}

const tenantOf = ({ tokens }: Together): string => (tokens.at(-1) as NewToken).record.tenantId;

const recordsIn = (tokens: readonly NewToken[]): NewTokenRecord[] => tokens.map(({ record }) => record);

/** @throws Stale */
async function requireStanding(query: Query, tokens: readonly NewToken[]): Promise<void> {
  const records = recordsIn(tokens);
  const values = [JSON.stringify(records.map(fieldsOf)), ...standingValues(records)];
  const rows = await query({ text: standingStatement, values });
  if (rows.length < tokens.length) throw new Stale();
}

const lockStatement = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';
const aliveStatement = `
  select expiry_day, id from live_token where app_id = $1 and user_handle = $2 and expires_at > clock_timestamp()`;
const endedStatement = 'delete from live_token where id = any($1::uuid[])';
const roomStatement = `
  insert into live_token (expiry_day, id, app_id, user_handle, expires_at) values ($1, $2, $3, $4, $5)`;

/** One after the other, of those who want it for the same app and user: until the transaction ends. */
async function lockRoom(query: Query, { record: { appId, userHandle } }: NewToken): Promise<void> {
  await query({ text: lockStatement, values: [JSON.stringify([appId, userHandle])] });
}

/** Once it has been waited for. @throws TooManyTokens */
async function takeRoom(query: Query, { record }: NewToken, { max, isAlive, refresh, end }: Room): Promise<void> {
  const { key, tenantId, appId, userHandle, expiresAt } = record;
  const rows = (await query({ text: aliveStatement, values: [appId, userHandle ?? ''] })) as [number, string][];
  const wanted = rows.map(([partition, id]) => ({ key: { partition, key: id }, tenantIds: [tenantId] }));
  const kept = await recordsOf(
    query,
    Map.groupBy(wanted, ({ key }) => key.partition),
  );
  const theirs = [...kept.values()]
    .filter((one) => one.tokenClass === 'token' && one.appId === appId && one.userHandle === userHandle)
    .sort((a, b) => a.sequence - b.sequence);
  // What has just been revoked may be unknown here: nobody goes, or is refused, in its place.
  if (theirs.filter(isAlive).length >= max) await refresh();
  const alive = theirs.filter(isAlive);
  if (alive.length >= max && !end) throw new TooManyTokens(max);
  const oldest = alive.slice(0, Math.max(0, alive.length - max + 1));
  if (oldest.length > 0) await end?.(oldest);
  // What has ended need not be looked at by everybody who comes after.
  const ended = [...theirs.filter((one) => !isAlive(one)), ...oldest].map((one) => one.key.key);
  if (ended.length > 0) await query({ text: endedStatement, values: [ended] });
  const values = [key.partition, key.key, appId, userHandle ?? '', new Date(expiresAt)];
  await query({ text: roomStatement, values });
}

/** Null where it is the first use. */
async function takeUse(query: Query, { key, request, answer, expiresAt }: RefreshUse): Promise<UsedBefore | null> {
  const taken = await query({ text: useStatement, values: [key.key, request, answer, new Date(expiresAt)] });
  if (taken.length > 0) return null;
  const before = await findUse(query, key);
  if (!before) throw new StoreUnavailable(new Error('the use of a refresh token is there and can not be read'));
  return before;
}

async function findUse(query: Query, { key }: TokenKey): Promise<UsedBefore | null> {
  const [row] = await query({ text: usedStatement, values: [key] });
  if (!row) return null;
  const [request, answer, age, isInForce] = row as [string, Buffer, number, boolean];
  // The tokens that it gave may have reached this server alone.
  requireSettled(isInForce);
  return { request, answer, age };
}
