import {
  isFor,
  partitionEnd,
  type RecordReader,
  type RecordsRead,
  StoreUnavailable,
  type TokenRecord,
  type WantedRecord,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import {
  type Database,
  type Query,
  type Row,
  StatementRefused,
  undefinedFunction,
  undefinedTable,
} from './database.ts';
import { tailColumnsCount, tailOf, tailSelect } from './history-rows.ts';
import { recordOf } from './token-rows.ts';

/**
 * Gathered reads: one statement, hence one snapshot, gives the records wanted, the head of the history and what came
 * after the revision that is known. Each partition is read by a function of its own, so that none but those wanted is planned
 * or locked; it gives what is asked for by both tenant and id.
 */
export function recordReader(database: Database): RecordReader {
  /** Whose partitions are dropped: who still presents tokens of those makes nobody else's reading fail. */
  const spentDays = new LRUCache<number, true>({ max: 1_000, ttl: spentMilliseconds });

  async function withoutMissing(byPartition: ByPartition): Promise<ByPartition> {
    const left = await existing(database, byPartition);
    for (const day of byPartition.keys())
      if (!left.has(day) && partitionEnd(day) < Date.now()) spentDays.set(day, true);
    return left;
  }

  return {
    async read(wanted, revision) {
      const sought = wanted.filter(({ key }) => !spentDays.has(key.partition));
      let byPartition: ByPartition = Map.groupBy(sought, ({ key }) => key.partition);
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        try {
          return await readFrom(database, byPartition, wanted, revision);
        } catch (error) {
          if (!(error instanceof StatementRefused && isMissing.includes(error.sqlState))) throw error;
          // A partition that is not there any more, or never was: a string made long ago, or by a stolen key.
          byPartition = await withoutMissing(byPartition);
        }
      }
      throw new StoreUnavailable(new Error('partitions are dropped faster than they are read'));
    },
  };
}

const attemptsMax = 5;
/** A day comes back only where the database's clock is set back. */
const spentMilliseconds = 10_000;
const isMissing = [undefinedFunction, undefinedTable];

type ByPartition = ReadonlyMap<number, readonly WantedRecord[]>;

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
  const partitions = [...byPartition.keys()].sort((a, b) => a - b);
  const rows = await database.query({
    // Tokens of a day, or of two that meet, come again and again. Connections keep what has a name for as long as they last.
    ...(areNeighbours(partitions) ? { name: `records ${partitions.join(' ')}` } : {}),
    text: statementFor(partitions),
    values: [revision, ...partitions.flatMap((partition) => pairsOf(byPartition.get(partition) ?? []))],
  });
  const records = recordsByKey(rows);
  return { records: wanted.map((one) => found(records, one)), tail: tailOf(rows) };
}

/** @param partitions in their order, none twice. */
const areNeighbours = (partitions: readonly number[]): boolean => (partitions.at(-1) ?? 0) - (partitions[0] ?? 0) <= 1;

/** Those that a transaction of somebody else's wants, in no order. */
export async function recordsOf(query: Query, wanted: readonly WantedRecord[]): Promise<TokenRecord[]> {
  if (wanted.length === 0) return [];
  const byPartition = [...Map.groupBy(wanted, ({ key }) => key.partition)];
  const text = byPartition.map(([partition], i) => `select r from ${call(partition, 2 * i + 1)} r`).join(' union all ');
  const rows = await query({ text, values: byPartition.flatMap(([, ofPartition]) => pairsOf(ofPartition)) });
  return rows.map(([values]) => recordOf(values as unknown[]));
}

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

function recordsByKey(rows: readonly Row[]): Map<string, TokenRecord> {
  const records = new Map<string, TokenRecord>();
  for (const row of rows) {
    if (row[0] !== 2) continue;
    for (const values of (row[tailColumnsCount] as unknown[][] | null) ?? []) {
      const record = recordOf(values);
      records.set(record.key.key, record);
    }
  }
  return records;
}

/** Another of the same batch may have wanted it for another tenant. */
function found(records: ReadonlyMap<string, TokenRecord>, wanted: WantedRecord): TokenRecord | null {
  const record = records.get(wanted.key.key);
  return record && isFor(wanted, record) ? record : null;
}
