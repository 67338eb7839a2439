import { partitionOf, platformTtlMax, systemClock } from '@touchstone/core';
import type pg from 'pg';
import { locks } from './advisory-locks.ts';
import {
  close,
  type Database,
  lockNotAvailable,
  objectNotInPrerequisiteState,
  queryCanceled,
  undefinedTable,
} from './database.ts';
import { millisecondsOf } from './instants.ts';
import { deleteSpentProofs } from './proof-taker.ts';
import { deleteSpent } from './spent-rows.ts';

/** How many events an outbox partition holds. */
export const outboxBlock = 2_000_000;
/** How many outbox partitions stand ready beyond the one in use. */
const outboxAhead = 8;
/** Days beyond the longest life for which partitions stand ready: upkeep may be away for that long. */
const daysAhead = 7;
/** Days for which expired records are kept, so that it can be told why one was refused. */
const daysKept = 2;

/** What one round of upkeep did. */
export interface UpkeepDone {
  readonly made: number;
  readonly dropped: readonly string[];
  /** Couldn't be had without making others wait, and will be tried again. */
  readonly postponed: readonly string[];
}

/**
 * Makes the partitions that will be needed and drops those that are not any more, and what else is spent. Nobody waits for it: what can't be
 * locked at once is left to the next round. For the role touchstone_upkeep.
 *
 * @param wallNow this machine's clock, milliseconds since 1970: what only the database's takes for spent is kept.
 * @throws StoreUnavailable
 */
export async function upkeep(database: Database, wallNow = systemClock.wall()): Promise<UpkeepDone> {
  const [row] = await database.query({
    text: `select ${millisecondsOf('now()')}, (select last_value from outbox_id),
                  (select outbox_id from relay_position)`,
  });
  const [now, outboxLast, outboxSent] = row as [number, number, number];
  const today = partitionOf(now);
  const lastDay = partitionOf(now + platformTtlMax * 1_000) + daysAhead;
  const lastBlock = Math.floor(outboxLast / outboxBlock) + outboxAhead;
  const made =
    (await makeTokenPartitions(database, today, lastDay)) + (await makeOutboxPartitions(database, lastBlock));
  const spent = [
    ...(await spentPartitions(database, 'token', partitionOf(Math.min(now, wallNow)) - daysKept)),
    ...(await spentPartitions(database, 'outbox', Math.floor(outboxSent / outboxBlock) - 1)),
  ];
  const dropped: string[] = [];
  const postponed: string[] = [];
  for (const partition of spent) ((await drop(database, partition)) ? dropped : postponed).push(partition.name);
  await deleteSpentProofs(database, wallNow);
  await database.query({
    text: `delete from census where beat_at < least(now(), $1) - interval '1 day'`,
    values: [new Date(wallNow)],
  });
  // Their tokens are refused anyway, by both clocks.
  const ended = [new Date(Math.min(now, wallNow) - daysKept * 86_400_000)];
  for (const table of besideTokens) await deleteSpent(database, table, 'id', 'expires_at < $1', ended);
  await database.query({ text: 'delete from rate where expire < $1', values: [Math.min(now, wallNow)] });
  return { made, dropped, postponed };
}

/** What is kept of a token beside its record, until it has expired. */
const besideTokens = ['refresh_use', 'live_token', 'token_use'] as const;

async function makeTokenPartitions(database: Database, first: number, last: number): Promise<number> {
  const days = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return makeMissing(database, 'token', days, 'attach_token_partition($1::int)');
}

async function makeOutboxPartitions(database: Database, last: number): Promise<number> {
  const first = Math.max(0, last - outboxAhead);
  const blocks = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return makeMissing(database, 'outbox', blocks, `attach_outbox_partition($1::bigint, ${outboxBlock})`);
}

/** Each by itself: on a slow disk all together take longer than a statement may, and than anybody may wait for a lock. */
async function makeMissing(
  database: Database,
  parent: Partition['parent'],
  numbers: readonly number[],
  attaching: string,
): Promise<number> {
  const there = `select from pg_class where relnamespace = 'touchstone'::regnamespace and relname = '${parent}_' || number`;
  const missing = await database.query({
    text: `select number from unnest($1::bigint[]) number where not exists (${there})`,
    values: [numbers],
  });
  let made = 0;
  for (const [number] of missing) {
    await database.transaction(async (query) => {
      // Another replica may be at the same.
      await query({ text: 'select pg_advisory_xact_lock($1)', values: [locks.upkeep] });
      const text = `select ${attaching} from (select $1::bigint as number) one where not exists (${there})`;
      made += (await query({ text, values: [number] })).length;
    });
  }
  return made;
}

interface Partition {
  readonly parent: 'token' | 'outbox';
  readonly name: string;
  /** Detaching was begun and broken off. */
  readonly isPending: boolean;
  readonly isAttached: boolean;
}

/** The partitions, attached or not, whose number is below `first`. One half detached comes first: it bars the others. */
async function spentPartitions(database: Database, parent: 'token' | 'outbox', first: number): Promise<Partition[]> {
  const rows = await database.query({
    text: `select c.relname, coalesce(i.inhdetachpending, false), i.inhrelid is not null
             from pg_class c left join pg_inherits i on i.inhrelid = c.oid
            where c.relnamespace = 'touchstone'::regnamespace and c.relkind = 'r' and c.relname ~ ('^' || $1 || '_[0-9]+$')
              and substring(c.relname from '[0-9]+$')::bigint < $2
            order by 2 desc, substring(c.relname from '[0-9]+$')::bigint`,
    values: [parent, first],
  });
  return rows.map(([name, isPending, isAttached]) => ({ parent, name, isPending, isAttached }) as Partition);
}

/** A reader is in the way, or another replica at the same; or another partition is half detached because of either. */
const inTheWay = [lockNotAvailable, queryCanceled, objectNotInPrerequisiteState, undefinedTable];

/** False where something is in the way: whoever comes after it must not queue behind us. */
async function drop(database: Database, { parent, name, isPending, isAttached }: Partition): Promise<boolean> {
  const connection = await database.connect();
  try {
    await connection.query(`set lock_timeout = '200ms'; set statement_timeout = '2s'`);
    if (parent === 'outbox' && (await holdsUnsent(connection, name))) return false;
    if (isAttached) {
      const how = isPending ? 'finalize' : 'concurrently';
      await connection.query(`alter table touchstone.${parent} detach partition touchstone.${name} ${how}`);
    }
    // Both, or neither.
    const reader = parent === 'token' ? `drop function if exists touchstone.${name}_records(text[], uuid[]);` : '';
    await connection.query(`${reader} drop table touchstone.${name}`);
    return true;
  } catch (error) {
    if (inTheWay.includes((error as pg.DatabaseError).code ?? '')) return false;
    throw error;
  } finally {
    await close(connection);
  }
}

/** Numbers say where to look; what has been sent is told by transactions. */
async function holdsUnsent(connection: pg.Client, name: string): Promise<boolean> {
  const text = `select from (select transaction_id, id from touchstone.${name}
                               order by transaction_id desc, id desc limit 1) last, touchstone.relay_position p
                 where (last.transaction_id, last.id) > (p.transaction_id, p.outbox_id)`;
  return (await connection.query(text)).rowCount === 1;
}
