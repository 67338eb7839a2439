import type { RecordReader, RecordsRead, TokenKey, TokenRecord } from '@touchstone/core';
import { type Database, type Row, StatementRefused, undefinedTable } from './database.ts';
import { tailColumnsCount, tailOf, tailSelect } from './history-rows.ts';
import { recordJson, recordOf } from './token-rows.ts';

/**
 * Gathered reads: one statement, hence one snapshot, gives the records wanted, the head of the history and what came
 * after the revision that is known. Partitions are named directly, so that none but those wanted is planned or locked.
 */
export function recordReader(database: Database): RecordReader {
  return {
    async read(keys, revision) {
      const byPartition = Map.groupBy(keys, (key) => key.partition);
      try {
        return await readFrom(database, byPartition, keys, revision);
      } catch (error) {
        if (!(error instanceof StatementRefused && error.sqlState === undefinedTable)) throw error;
        // A partition that is not there any more, or never was: a string made long ago, or by a stolen key.
        return await readFrom(database, await existing(database, byPartition), keys, revision);
      }
    },
  };
}

type ByPartition = ReadonlyMap<number, readonly TokenKey[]>;

async function existing(database: Database, byPartition: ByPartition): Promise<ByPartition> {
  const rows = await database.query({
    text: `select p from unnest($1::int[]) p where to_regclass('touchstone.token_' || p) is not null`,
    values: [[...byPartition.keys()]],
  });
  return new Map([...byPartition].filter(([partition]) => rows.some(([found]) => found === partition)));
}

async function readFrom(
  database: Database,
  byPartition: ByPartition,
  keys: readonly TokenKey[],
  revision: number,
): Promise<RecordsRead> {
  const partitions = [...byPartition.keys()].sort((a, b) => a - b);
  const rows = await database.query({
    // A few combinations come again and again; a batch that is scattered wide is not worth remembering.
    ...(partitions.length <= 2 ? { name: `records ${partitions.join(' ')}` } : {}),
    text: statementFor(partitions),
    values: [revision, ...partitions.map((partition) => byPartition.get(partition)?.map(({ key }) => key))],
  });
  const records = recordsByKey(rows);
  return { records: keys.map(({ key }) => records.get(key) ?? null), tail: tailOf(rows) };
}

const noTail = `2, ${Array.from({ length: tailColumnsCount - 1 }, () => 'null').join(', ')}`;
const statementFor = (partitions: readonly number[]): string =>
  [
    // Typed, for in a union it is the first select that gives the columns their types.
    `select tail.*, null::json from (${tailSelect}) tail`,
    ...partitions.map(
      (partition, i) =>
        `select ${noTail}, ${recordJson} from token_${Math.trunc(partition)} t where t.id = any($${i + 2}::uuid[])`,
    ),
  ].join(' union all ');

function recordsByKey(rows: readonly Row[]): Map<string, TokenRecord> {
  const records = new Map<string, TokenRecord>();
  for (const row of rows) {
    if (row[0] !== 2) continue;
    const record = recordOf(row[tailColumnsCount] as unknown[]);
    records.set(record.key.key, record);
  }
  return records;
}
