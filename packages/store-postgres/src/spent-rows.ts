import { locks } from './advisory-locks.ts';
import type { Database } from './database.ts';

/** How many rows one statement deletes: few enough to be done long before it is given up. */
const deletedAtOnce = 10_000;

/**
 * Deletes what is spent, those that ended first, until nothing is left or another replica is at it.
 *
 * @param key the column that tells its rows apart.
 * @param spent which are, in SQL.
 */
export async function deleteSpent(
  database: Database,
  table: string,
  key: string,
  spent: string,
  values: readonly unknown[],
): Promise<void> {
  const text = `
    with deleted as (
      delete from ${table} where ${key} in (
        select ${key} from ${table} where ${spent} order by expires_at limit ${deletedAtOnce})
      returning 1
    )
    select count(*) from deleted`;
  let deleted: number;
  do {
    deleted = await database.transaction(async (query) => {
      const [lock] = await query({ text: 'select pg_try_advisory_xact_lock($1)', values: [locks.deletion] });
      if (!lock?.[0]) return 0;
      const [row] = await query({ text, values });
      return row?.[0] as number;
    });
  } while (deleted === deletedAtOnce);
}
