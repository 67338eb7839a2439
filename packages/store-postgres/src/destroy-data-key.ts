import pg from 'pg';
import { close, type Database } from './database.ts';

/**
 * What became of a data key that was to be destroyed. `current`: it wraps what is new of its purpose. `used`: keys that it
 * wrapped are there. In either case nothing happened.
 */
export type Destruction = 'destroyed' | 'absent' | 'current' | 'used';

const foreignKeyViolation = '23503';

/** Deletes a data key that nothing needs any more, and with it the way to all that it ever wrapped. */
export async function destroyDataKey(database: Database, dataKeyId: string): Promise<Destruction> {
  // Of its own: all keys are looked through for one that it wrapped, and nobody waits for that.
  const client = await database.connect(0);
  try {
    const isCurrent = `
      select generation = (select max(generation) from data_key where purpose = k.purpose) as current
        from data_key k where data_key_id = $1`;
    const [found] = (await client.query<{ current: boolean }>(isCurrent, [dataKeyId])).rows;
    if (!found) return 'absent';
    if (found.current) return 'current';
    await client.query('delete from data_key where data_key_id = $1', [dataKeyId]);
    return 'destroyed';
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === foreignKeyViolation) return 'used';
    throw error;
  } finally {
    await close(client);
  }
}
