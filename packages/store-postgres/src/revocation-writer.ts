import { isDeepStrictEqual } from 'node:util';
import {
  type AuditCodec,
  type Chain,
  type ComposedRevision,
  type Cut,
  composeRevision,
  type DisabledKind,
  endedBy,
  endedText,
  gather,
  type LockedHistory,
  type Mark,
  platformTenantId,
  type Revocation,
  type RevocationIntent,
  type RevocationWriter,
  StoreUnavailable,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { isSettled, requireSettled } from './census.ts';
import { type Database, type Query, type Row, type Statement, StatementRefused } from './database.ts';
import { markColumns, markOf } from './history-rows.ts';
import { instantText } from './instant-text.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { versionRaised } from './registry.ts';
import {
  revocationColumns,
  revocationFields,
  revocationFieldsOf,
  revocationInsertColumns,
  revocationOf,
} from './revocation-rows.ts';
import { lastDrawn } from './token-rows.ts';

/** The channel on which followers that poll learn that there is something new. A hint only. */
export const revisionChannel = 'touchstone_revision';

export interface RevocationWriterOptions {
  readonly chain: Chain;
  readonly codec: AuditCodec;
  readonly instanceId: string;
}

/** Writes revocations: what is wanted at the same time becomes one revision. */
export function revocationWriter(
  database: Database,
  { chain, codec, instanceId }: RevocationWriterOptions,
): RevocationWriter {
  const outbox = new OutboxWriter(instanceId, codec);

  async function writeAll(intents: readonly RevocationIntent[]): Promise<readonly (Revocation | Error)[]> {
    const { outcomes } = await outbox.writing(() =>
      database.of(tenantsOf(intents)).transaction(async (query) => {
        const locked = await lockHistory(query, intents, chain);
        const composed = composeRevision(locked, intents, chain);
        if (composed.write) await writeRevision(query, composed.write, outbox, chain);
        return { outcomes: composed.outcomes, written: composed.write?.events.length ?? 0 };
      }, 'reads first'),
    );
    return outcomes;
  }

  async function writeEach(intents: readonly RevocationIntent[]): Promise<readonly (Revocation | Error)[]> {
    try {
      return await writeAll(intents);
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      if (intents.length === 1) throw new StoreUnavailable(error);
      // One that the database refuses must not keep the others from being revoked: alone, each shows which it is.
      const outcomes: (Revocation | Error)[] = [];
      for (const intent of intents) {
        const [outcome] = await writeEach([intent]).catch((failure: Error) => [failure]);
        outcomes.push(outcome as Revocation | Error);
      }
      return outcomes;
    }
  }

  // The lock lets one transaction at a time through anyway.
  const write = gather(writeEach, { batchMax: 500, lanes: 1, waitingMax: 20_000 });

  return { write: (intent) => write(intent) };
}

/** What is about all tenants is the platform's own. */
const tenantsOf = (intents: readonly RevocationIntent[]): string[] => [
  ...new Set(intents.map(({ tenantId }) => tenantId ?? platformTenantId)),
];

/** By the index on names, from the end: a colon comes after the digits. */
const lastPartitionSelect = `
  select substring(relname from '[0-9]+$')::int from pg_class
   where relname < 'token_:' and relname ~ '^token_[0-9]{5}$'
     and relnamespace = 'touchstone'::regnamespace and relkind = 'r'
   order by relname desc limit 1`;

/** Statements of their own after the lock, and not before it: what a single one reads can be older than its lock. */
export async function lockHistory(
  query: Query,
  intents: readonly RevocationIntent[],
  chain: Chain,
): Promise<LockedHistory> {
  const cuts = intents.flatMap((intent) => intent.cuts);
  const [[head], [reading], byKey] = await Promise.all([
    query({ name: 'lock', text: 'select revision, hash, digest, mac from history for update' }),
    query({ name: 'reading', text: readingStatement, values: targetsOf(cuts) }),
    readByKey(query, intents),
  ]);
  if (!head) throw new Error('the history has not been initialised: run the bootstrap command');
  const [revision, hash, digest, mac] = head as [number, string, string, string];
  const [lastSequence, now, lastPartition] = reading as [number, number, number | null];
  const marks = marksOf(reading?.[3]);
  // A repeat writes nothing, and what it repeats may have reached this server alone: others are still answered by the one before.
  requireSettled(reading?.[4]);
  const byTarget = await readByTarget(query, repeatsAmong(intents, marks));
  // What somebody else has made up counts as not there.
  const earlier = [...byKey, ...byTarget].flatMap((row) => revocationOf(row, chain) ?? []);
  return { head: { revision, hash }, digest, mac, lastSequence, now, lastPartition, marks, earlier };
}

// Each looks into an index once a thing that is asked for, and `limit` holds the planner to it: the plan that it makes for
// a join while the table is empty goes through the whole of it, and is kept when the table has grown.

/** The marks of the targets that `targetsOf` gives, in one value: a row for each costs more. */
const marksSelect = `
  select json_agg(m.mark) from unnest($1::text[], $2::text[], $3::text[]) as c (token_class, kind, key)
    cross join lateral (select json_build_array(${markColumns}) as mark from watermark w
      where w.token_class = c.token_class and w.kind = c.kind and w.key = c.key limit 1) as m`;
const readingStatement = `
  select ${lastDrawn}, (extract(epoch from clock_timestamp()) * 1000)::bigint, (${lastPartitionSelect}), (${marksSelect}),
         ${isSettled}
    from token_sequence`;

type Target = Pick<Cut, 'tokenClass' | 'kind' | 'key'>;
const targetsOf = (cuts: readonly Target[]): string[][] => [
  cuts.map((c) => c.tokenClass),
  cuts.map((c) => c.kind),
  cuts.map((c) => c.key),
];
const marksOf = (rows: unknown): Mark[] => ((rows as Row[] | null) ?? []).map(markOf);

/** The marks of what these cut. */
export async function readMarks(query: Query, cuts: readonly Target[]): Promise<Mark[]> {
  const [row] = await query({ name: 'marks', text: marksSelect, values: targetsOf(cuts) });
  return marksOf(row?.[0]);
}

/** Those that may repeat an earlier one without saying so: what they are about is dead for good. */
function repeatsAmong(intents: readonly RevocationIntent[], marks: readonly Mark[]): RevocationIntent[] {
  const ended = endedBy(marks);
  return intents.filter(({ idempotencyKey, target }) => idempotencyKey === null && ended.has(endedText(target)));
}

async function readByKey(query: Query, intents: readonly RevocationIntent[]): Promise<Row[]> {
  const keyed = intents.filter((intent) => intent.idempotencyKey !== null);
  if (keyed.length === 0) return [];
  return query({
    name: 'earlier by key',
    text: `select v.* from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k (kind, name, key, tenant_id)
             cross join lateral (select ${revocationColumns} from revocation v join revision r using (revision)
               where v.actor_kind = k.kind and v.actor_name = k.name and v.idempotency_key = k.key
                 and coalesce(v.tenant_id, '') = k.tenant_id limit 1) as v`,
    values: [
      keyed.map((intent) => intent.actor.kind),
      keyed.map((intent) => intent.actor.name),
      keyed.map((intent) => intent.idempotencyKey),
      keyed.map((intent) => intent.tenantId ?? ''),
    ],
  });
}

async function readByTarget(query: Query, intents: readonly RevocationIntent[]): Promise<Row[]> {
  if (intents.length === 0) return [];
  return query({
    name: 'earlier by target',
    text: `select v.* from unnest($1::text[], $2::text[]) as t (kind, key)
             cross join lateral (select ${revocationColumns} from revocation v join revision r using (revision)
               where v.target_kind = t.kind and v.target_key = t.key and v.ceiling is null limit 1) as v`,
    values: [intents.map((intent) => intent.target.kind), intents.map((intent) => intent.target.key)],
  });
}

type Write = NonNullable<ComposedRevision['write']>;

async function writeRevision(query: Query, write: Write, outbox: OutboxWriter, chain: Chain): Promise<void> {
  await Promise.all([
    advanceHistory(query, write, chain),
    ...disableEntries(query, write),
    insertEvents(query, outbox, write.events, write.recordedAt),
  ]);
}

/** Puts marks in place of those that there were. @param marks the parameter that holds them, as `markFields` gives them. */
const raising = (marks: string): string => `
  insert into watermark (token_class, kind, key, ceiling, spared_token_id, spared_ceiling, covers_until)
  select * from json_to_recordset(${marks}) as m (token_class text, kind text, key text, ceiling bigint,
    spared_token_id text, spared_ceiling bigint, covers_until timestamptz)
  on conflict (token_class, kind, key) do update
    set ceiling = excluded.ceiling, spared_token_id = excluded.spared_token_id,
        spared_ceiling = excluded.spared_ceiling, covers_until = excluded.covers_until
  returning key`;

/** All at once: each statement costs as much as some revocations do. */
const advanceStatement = `
  with revised as (
    insert into revision (revision, previous_hash, content, hash, recorded_at) values ($1, $2, $3, $4, $5) returning revision
  ),
  advanced as (update history set revision = $1, hash = $4, digest = $6, mac = $7 returning revision),
  revoked as (
    insert into revocation (revision, recorded_at, ${revocationInsertColumns})
    select $1, $5, ${revocationInsertColumns} from json_to_recordset($8) as v (${revocationFields}) returning revision
  ),
  raised as (${raising('$9')})
  select (select count(*) from revised), (select count(*) from advanced), (select count(*) from revoked),
         (select count(*) from raised), pg_notify('${revisionChannel}', '')`;

type Advance = Pick<Write, 'revision' | 'recordedAt' | 'digest' | 'mac'> &
  Partial<Pick<Write, 'revocations' | 'marks'>>;

/** Adds a revision to the history, and what it revokes, by whoever has its lock. */
export async function advanceHistory(
  query: Query,
  { revision, recordedAt, digest, mac, revocations = [], marks = [] }: Advance,
  chain: Chain,
): Promise<void> {
  const [written] = await query({
    name: 'advance',
    text: advanceStatement,
    values: [
      revision.revision,
      revision.previousHash,
      Buffer.from(revision.content),
      revision.hash,
      new Date(recordedAt),
      digest,
      mac,
      JSON.stringify(revocations.map((one) => revocationFieldsOf(one, chain))),
      JSON.stringify(marks.map(markFields)),
    ],
  });
  requireWritten(written?.slice(0, 4), [1, 1, revocations.length, marks.length]);
}

/** A trigger, or a rule, can make a write vanish without an error. */
export function requireWritten(written: readonly unknown[] | undefined, wanted: readonly number[]): void {
  if (!isDeepStrictEqual(written, wanted)) throw new Error('the database did not keep what was written');
}

export const raiseMarks = (query: Query, marks: readonly Mark[]): Promise<Row[]> =>
  query({ name: 'raise', text: raising('$1'), values: [JSON.stringify(marks.map(markFields))] });

const markFields = (mark: Mark): Record<string, unknown> => ({
  token_class: mark.tokenClass,
  kind: mark.kind,
  key: mark.key,
  ceiling: mark.ceiling,
  spared_token_id: mark.sparedTokenId,
  spared_ceiling: mark.sparedCeiling,
  covers_until: mark.coversUntil === null ? null : instantText(mark.coversUntil),
});

function disableEntries(query: Query, { intents, revision }: Write): Promise<Row[]>[] {
  return intents.flatMap(({ disables, tenantId }) => {
    if (!disables) return [];
    const disabling = disablingOf(disables, revision.revision);
    const raising = { text: `update tenant set ${versionRaised} where tenant_id = $1`, values: [tenantId] };
    // Whoever inserts a token looks at its consent: the other tokens of the tenant need not be decided anew. Else the tenant
    // comes first, as it does for who rotates its keys: two who took the same rows in another order would wait for ever.
    return (disables.what === 'consent' ? disabling : [raising, ...disabling]).map(query);
  });
}

/** What ends something for good, a consent together with its key. */
export function disablingOf(
  { what, id }: { readonly what: DisabledKind; readonly id: string },
  revision: number,
): Statement[] {
  const [table, column] = {
    tenant: ['tenant', 'tenant_id'],
    app: ['app', 'app_id'],
    resource_server: ['resource_server', 'audience'],
    consent: ['consent', 'consent_id'],
    signing_key: ['signing_key', 'signing_key_id'],
  }[what] as [string, string];
  const disabling = {
    text: `update ${table} set disabled_revision = $1 where ${column} = $2 and disabled_revision is null`,
    values: [revision, id],
  };
  const shredding = { text: 'delete from consent_key where consent_id = $1', values: [id] };
  return what === 'consent' ? [disabling, shredding] : [disabling];
}
