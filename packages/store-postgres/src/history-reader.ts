import type { Chain, Hashes, HistoryReader } from '@touchstone/core';
import { genesis, StoreUnavailable } from '@touchstone/core';
import type { Database, Row } from './database.ts';
import { tailOf, tailSelect } from './history-rows.ts';
import { millisecondsOf } from './instants.ts';
import { markColumns, markOf } from './mark-rows.ts';

/** Marks read at a time: what is done with so many holds up nobody, and their rows take little memory. */
const marksFetched = 1_000;

/** What marks the rows of hashes that were asked for, apart from those of the tail. */
const hashPart = 2;
const hashesStatement = `
  ${tailSelect}
  union all
  select ${hashPart}, r.revision, r.hash, null, null, null, null from revision r where r.revision = any($2::bigint[])`;

/** The history of revisions, as the primary has it. */
export function historyReader(database: Database): HistoryReader {
  return {
    load: (take) =>
      database.transaction(async (query) => {
        const [row] = await query({
          text: `select revision, hash, digest, mac, ${millisecondsOf('now()')},
                        (select coalesce(max(r.revision), 0) from revision r) from history`,
        });
        if (!row) throw new Error('the history has not been initialised: run the bootstrap command');
        const [revision, hash, digest, mac, now, last] = row as [number, string, string, string, number, number];
        if (last !== revision) throw new StoreUnavailable(new Error('the history ends before its last revision'));
        await query({ text: `declare mark no scroll cursor for select ${markColumns} from watermark w` });
        let rows: Row[];
        do {
          rows = await query({ text: `fetch ${marksFetched} from mark` });
          take(rows.map(markOf), now);
        } while (rows.length > 0);
        return { head: { revision, hash }, digest, mac, now };
      }, 'repeatable read'),

    readAfter: async (revision) => tailOf(await database.query({ name: 'tail', text: tailSelect, values: [revision] })),

    hashesOf: async (revisions, after) => {
      const rows = await database.query({ name: 'hashes', text: hashesStatement, values: [after, revisions] });
      return { hashes: hashesIn(rows), tail: tailOf(rows) };
    },
  };
}

function hashesIn(rows: readonly Row[]): Hashes {
  const ofHashes = rows.filter(([part]) => part === hashPart);
  return new Map(ofHashes.map(([, revision, hash]) => [revision, hash] as [number, string]));
}

/** Writes the beginning of the history where there is none yet. For the bootstrap command. */
export async function initialiseHistory(database: Database, chain: Chain): Promise<void> {
  const digest = chain.digestOf([], genesis);
  await database.query({
    text: 'insert into history (revision, hash, digest, mac) values ($1, $2, $3, $4) on conflict do nothing',
    values: [genesis.revision, genesis.hash, digest, chain.sealHistory(genesis, digest)],
  });
}
