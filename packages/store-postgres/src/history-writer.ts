import { isDeepStrictEqual } from 'node:util';
import {
  type Chain,
  type ComposedRevision,
  endedBy,
  endedText,
  type LockedHistory,
  type Mark,
  type Revocation,
  type RevocationIntent,
  targetText,
} from '@touchstone/core';
import { eventValues, recording } from './audit-writer.ts';
import { isSettled, requireSettled } from './census.ts';
import type { Query, Row } from './database.ts';
import { millisecondsOf } from './instants.ts';
import { markFields, marksOf, marksSelect, raising, readMarks, type Target, targetsOf } from './mark-rows.ts';
import type { OutboxWriter } from './outbox-rows.ts';
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

/** By the index on names, from the end: a colon comes after the digits. */
const lastPartitionSelect = `
  select substring(relname from '[0-9]+$')::int from pg_class
   where relname < 'token_:' and relname ~ '^token_[0-9]{5}$'
     and relnamespace = 'touchstone'::regnamespace and relkind = 'r'
   order by relname desc limit 1`;

const readingStatement = `
  select ${lastDrawn}, ${millisecondsOf('clock_timestamp()')}, (${lastPartitionSelect}), (${marksSelect}),
         ${isSettled}
    from token_sequence`;

/** Of what is to be revoked it is read, too: the marks of the targets, and what has the key of an intent. */
interface Concerned {
  readonly targets: readonly Target[];
  readonly intents: readonly RevocationIntent[];
}

/** The history, locked, before all is known that the intents need. */
interface AtLock extends Omit<LockedHistory, 'marks' | 'earlier'> {
  readonly targets: readonly Target[];
  readonly marksOfTargets: readonly Mark[];
  readonly earlierByKey: readonly Revocation[];
}

/**
 * Statements of their own after the lock, and not before it: what a single one reads can be older than its lock.
 *
 * It must be this row's lock: that is written to the log, so that the commit waits for the standby even where nothing else is
 * written, and a server that was cut off can answer nobody.
 */
export async function lockHistory(
  query: Query,
  chain: Chain,
  { targets, intents }: Concerned = { targets: [], intents: [] },
): Promise<AtLock> {
  const [[head], [reading], byKey] = await Promise.all([
    query({ name: 'lock', text: 'select revision, hash, digest, mac from history for update' }),
    query({ name: 'reading', text: readingStatement, values: targetsOf(targets) }),
    readByKey(query, intents),
  ]);
  if (!head) throw new Error('the history has not been initialised: run the bootstrap command');
  const [revision, hash, digest, mac] = head as [number, string, string, string];
  const [lastSequence, now, lastPartition] = reading as [number, number, number | null];
  // A repeat writes nothing, and what it repeats may have reached this server alone: others are still answered by the one before.
  requireSettled(reading?.[4]);
  const stand = { head: { revision, hash }, digest, mac, lastSequence, now, lastPartition };
  return { ...stand, targets, marksOfTargets: marksOf(reading?.[3]), earlierByKey: ours(byKey, chain) };
}

/** With what these intents need beside: the marks of further targets, and what they repeat. */
export async function completed(
  query: Query,
  chain: Chain,
  { targets, marksOfTargets, earlierByKey, ...stand }: AtLock,
  intents: readonly RevocationIntent[],
): Promise<LockedHistory> {
  const read = new Set(targets.map((target) => targetText(target, target.tokenClass)));
  const further = intents.flatMap(({ cuts }) => cuts).filter((cut) => !read.has(targetText(cut, cut.tokenClass)));
  const marks = [...marksOfTargets, ...(further.length > 0 ? await readMarks(query, further) : [])];
  const byTarget = await readByTarget(query, repeatsAmong(intents, marks));
  return { ...stand, marks, earlier: [...earlierByKey, ...ours(byTarget, chain)] };
}

/** What somebody else has made up counts as not there. */
const ours = (rows: readonly Row[], chain: Chain): Revocation[] =>
  rows.flatMap((row) => revocationOf(row, chain) ?? []);

/** Those that may repeat an earlier one without saying so: what they are about is dead for good. */
function repeatsAmong(intents: readonly RevocationIntent[], marks: readonly Mark[]): RevocationIntent[] {
  const ended = endedBy(marks);
  if (ended.size === 0) return [];
  return intents.filter(({ idempotencyKey, target }) => idempotencyKey === null && ended.has(endedText(target)));
}

// With `limit` an index is looked into once for each that is asked for, as for marks.

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

/** All at once: each statement costs as much as some revocations do. */
const advancing = (areNew: boolean): string => `
  with revised as (
    insert into revision (revision, previous_hash, content, hash, recorded_at) values ($1, $2, $3, $4, $5) returning revision
  ),
  advanced as (update history set revision = $1, hash = $4, digest = $6, mac = $7 returning revision),
  revoked as (
    insert into revocation (revision, recorded_at, ${revocationInsertColumns})
    select $1, $5, ${revocationInsertColumns} from json_to_recordset($8) as v (${revocationFields}) returning revision
  ),
  raised as (${raising('$9', areNew)}),
  recorded as (${recording('$10', '$11', '$12')} returning 1)
  select (select count(*) from revised), (select count(*) from advanced), (select count(*) from revoked),
         (select count(*) from raised), (select count(*) from recorded), pg_notify('${revisionChannel}', '')`;

const advanceStatements = {
  new: { name: 'advance with new marks', text: advancing(true) },
  any: { name: 'advance', text: advancing(false) },
} as const;

type Write = NonNullable<ComposedRevision['write']>;

type Advance = Pick<Write, 'revision' | 'content' | 'digest' | 'mac'> &
  Partial<Pick<Write, 'revocations' | 'marks' | 'areNew' | 'events'>>;

/** Adds a revision to the history, what it revokes, and what is to be told of it, by whoever has the history's lock. */
export async function advanceHistory(
  query: Query,
  { revision, content: { recordedAt }, digest, mac, revocations = [], marks = [], areNew = true, events = [] }: Advance,
  chain: Chain,
  outbox: OutboxWriter,
): Promise<void> {
  const [written] = await query({
    ...advanceStatements[areNew ? 'new' : 'any'],
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
      ...eventValues(outbox, events, recordedAt),
    ],
  });
  requireWritten(written?.slice(0, 5), [1, 1, revocations.length, marks.length, events.length]);
}

/** A trigger, or a rule, can make a write vanish without an error. */
export function requireWritten(written: readonly unknown[] | undefined, wanted: readonly number[]): void {
  if (!isDeepStrictEqual(written, wanted)) throw new Error('the database did not keep what was written');
}
