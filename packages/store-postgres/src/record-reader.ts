import {
  isFor,
  partitionEnd,
  type RecordReader,
  type RecordsRead,
  StoreUnavailable,
  type TokenKey,
  type TokenRecord,
  type WantedRecord,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import { type Database, type Query, StatementRefused, undefinedFunction, undefinedTable } from './database.ts';
import { tailColumnsCount, tailOf, tailSelect } from './history-rows.ts';
import { recordOf } from './token-rows.ts';

/**
 * Gathered reads: one statement, hence one snapshot, gives the records wanted, the head of the history and what came
 * after the revision that is known. Each partition is read by a function of its own, so that none but those wanted is planned
 * or locked; it gives what is asked for by both tenant and id.
 *
 * @param asksFirst as `partitionsReader` does.
 */
export function recordReader(database: Database, asksFirst = false): RecordReader {
  const ofPartitions = partitionsReader(database, asksFirst);
  return {
    read: (wanted, revision) =>
      ofPartitions(wanted, (byPartition) => readFrom(database, byPartition, wanted, revision)),
  };
}

/** Reads what is wanted of the partitions that it is told. */
type Reading<Result> = (byPartition: ByPartition) => Promise<Result>;

/**
 * Has records read of the partitions that are there: of others there are none. What reads one that is not there fails, with all
 * else that it does, and is done anew once it was asked which are.
 *
 * @param asksFirst where to begin anew costs much: what is not known to be there is asked for before it is read.
 */
export function partitionsReader(database: Database, asksFirst = false) {
  const knownDays = new Set<number>();
  /** Whose partitions are dropped: who still presents tokens of those makes nobody ask for them again. */
  const spentDays = new LRUCache<number, true>({ max: 1_000, ttl: spentMilliseconds });

  async function withoutMissing(byPartition: ByPartition): Promise<ByPartition> {
    const there = await existing(database, byPartition);
    for (const day of byPartition.keys()) {
      if (there.has(day)) knownDays.add(day);
      else if (partitionEnd(day) < Date.now()) spentDays.set(day, true);
    }
    return there;
  }

  return async <Result>(wanted: readonly WantedRecord[], read: Reading<Result>): Promise<Result> => {
    const sought = wanted.filter(({ key }) => !spentDays.has(key.partition));
    let byPartition: ByPartition = Map.groupBy(sought, ({ key }) => key.partition);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const isAsked = (asksFirst || attempt > 0) && byPartition.keys().some((day) => !knownDays.has(day));
      if (isAsked) byPartition = await withoutMissing(byPartition);
      try {
        return await read(byPartition);
      } catch (error) {
        if (!(error instanceof StatementRefused && isMissing.includes(error.sqlState))) throw error;
        // One has been dropped since.
        knownDays.clear();
      }
    }
    throw new StoreUnavailable(new Error('partitions are dropped faster than they are read'));
  };
}

const attemptsMax = 5;
/** A day comes back only where the database's clock is set back. */
const spentMilliseconds = 10_000;
const isMissing = [undefinedFunction, undefinedTable];

export type ByPartition = ReadonlyMap<number, readonly WantedRecord[]>;

async function existing(database: Database, byPartition: ByPartition): Promise<ByPartition> {
  const rows = await database.query({
    text: `select p from unnest($1::int[]) p where to_regproc('touchstone.token_' || p || '_records') is not null`,
    values: [[...byPartition.keys()]],
  });
  return new Map([...byPartition].filter(([partition]) => rows.some(([found]) => found === partition)));
}

async function readFrom(
  database: Database,
  byPartition: ByPartition,
  wanted: readonly WantedRecord[],
  revision: number,
): Promise<RecordsRead> {
  const partitions = inOrder(byPartition);
  const rows = await database.query({
    ...nameOf('records', partitions),
    text: statementFor(partitions),
    values: [revision, ...valuesOf(byPartition, partitions)],
  });
  const ofPartitions = rows.filter(([part]) => part === 2);
  const records = recordsByKey(ofPartitions.map((row) => row[tailColumnsCount]));
  return { records: wanted.map((one) => recordFor(one, records)), tail: tailOf(rows) };
}

const inOrder = (byPartition: ByPartition): number[] => [...byPartition.keys()].sort((a, b) => a - b);

/**
 * Tokens of a day, or of two that meet, come again and again. Connections keep what has a name for as long as they last.
 *
 * @param partitions in their order, none twice.
 */
const nameOf = (what: string, partitions: readonly number[]): { name?: string } =>
  (partitions.at(-1) ?? 0) - (partitions[0] ?? 0) <= 1 ? { name: `${what} ${partitions.join(' ')}` } : {};

/** Those that a transaction of somebody else's wants. */
export async function recordsOf(query: Query, byPartition: ByPartition): Promise<RecordsByKey> {
  const partitions = inOrder(byPartition);
  if (partitions.length === 0) return new Map();
  const rows = await query({
    ...nameOf('records alone', partitions),
    text: partitions
      .map((partition, i) => `select json_agg(r) from ${call(partition, 2 * i + 1)} r`)
      .join(' union all '),
    values: valuesOf(byPartition, partitions),
  });
  return recordsByKey(rows.map(([records]) => records));
}

const valuesOf = (byPartition: ByPartition, partitions: readonly number[]): unknown[] =>
  partitions.flatMap((partition) => pairsOf(byPartition.get(partition) ?? []));

/** The tenants and the ids, pair by pair. */
function pairsOf(wanted: readonly WantedRecord[]): [(string | null)[], string] {
  const pairs = wanted.flatMap(({ key, tenantIds }) =>
    (tenantIds ?? [null]).map((tenantId) => [tenantId, key.key] as const),
  );
  // Hexadecimal digits: nothing is to be escaped, so nobody need look for it.
  return [pairs.map(([tenantId]) => tenantId), `{${pairs.map(([, key]) => key).join()}}`];
}

const call = (partition: number, parameter: number): string =>
  `token_${Math.trunc(partition)}_records($${parameter}::text[], $${parameter + 1}::uuid[])`;

const noTail = `2, ${Array.from({ length: tailColumnsCount - 1 }, () => 'null').join(', ')}`;
const statementFor = (partitions: readonly number[]): string =>
  [
    // Typed, for in a union it is the first select that gives the columns their types.
    `select tail.*, null::json from (${tailSelect}) tail`,
    // All of a partition's in one row: a row for each costs more to send and to take apart than what is in it.
    ...partitions.map((partition, i) => `select ${noTail}, json_agg(r) from ${call(partition, 2 * i + 2)} r`),
  ].join(' union all ');

/** By what `keyText` makes of their keys. */
export type RecordsByKey = ReadonlyMap<string, TokenRecord>;

const keyText = ({ partition, key }: TokenKey): string => `${partition} ${key}`;

/** @param partitions what each tells: null is none. */
function recordsByKey(partitions: readonly unknown[]): RecordsByKey {
  const records = (partitions as (unknown[][] | null)[]).flatMap((values) => values ?? []).map(recordOf);
  return new Map(records.map((record) => [keyText(record.key), record]));
}

/** Another of the same batch may have wanted it for another tenant. */
export function recordFor(wanted: WantedRecord, records: RecordsByKey): TokenRecord | null {
  const record = records.get(keyText(wanted.key));
  return record && isFor(wanted, record) ? record : null;
}
