import type { Head, SealedRevision, Tail } from '@touchstone/core';
import type { Row } from './database.ts';
import { millisecondsOf } from './instants.ts';

/** How many revisions one statement brings along. */
export const missedMax = 500;

/** Names the server that is asked: another one has another name, and one that was started anew. */
export const thisServer = '(select pg_postmaster_start_time()::text)';

/**
 * Where the history stands, and the revisions after one, in the same snapshot. The first row is the head; `$1` is the
 * revision asked after. More may be joined on by `union all`, with seven columns before their own.
 */
export const tailSelect = `
  select 0 as part, h.revision as revision, h.hash as hash, null::text as previous_hash, null::bytea as content,
         ${millisecondsOf('clock_timestamp()')} as now, ${thisServer} as server
    from history h
  union all
  (select 1, r.revision, r.hash, r.previous_hash, r.content, null, null
     from revision r where r.revision > $1 order by r.revision limit ${missedMax})`;

/** How many columns `tailSelect` has. */
export const tailColumnsCount = 7;

/** Makes the tail out of the rows of `tailSelect`, in whatever order they come. */
export function tailOf(rows: readonly Row[]): Tail {
  let head: Head = { revision: 0, hash: '' };
  let now = 0;
  let server = '';
  const missed: SealedRevision[] = [];
  for (const row of rows) {
    const [part, revision, hash, previousHash, content] = row as [number, number, string, string, Buffer];
    if (part === 0) {
      head = { revision, hash };
      [now, server] = row.slice(5, 7) as [number, string];
    } else if (part === 1) missed.push({ revision, hash, previousHash, content });
  }
  if (now === 0) throw new Error('the history has not been initialised: run the bootstrap command');
  return { head, missed: missed.sort((a, b) => a.revision - b.revision), now, server };
}
