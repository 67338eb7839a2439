import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { openDatabase } from './database.ts';
import { upkeep } from './partitions.ts';

const directory = join(dirname(dirname(fileURLToPath(import.meta.url))), 'migrations');
/** The advisory lock that lets one migration run at a time: the second one waits, and then finds nothing to do. */
const migrationLock = 7_003_000;

/**
 * Brings the database's schema up to date and makes the first partitions. Safe to run from several places at once.
 *
 * @param url a login that may create roles, and is a member of touchstone_upkeep or a superuser.
 * @param report called with the name of each migration that is applied.
 */
export async function migrate(url: string, report: (migration: string) => void = () => {}): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'touchstone migrate' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await client.query('create schema if not exists touchstone');
    await client.query('set search_path = touchstone');
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const applied = await runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      schema: 'touchstone',
      migrationsTable: 'migration',
      noLock: true,
      logger: silent,
    });
    for (const { name } of applied) report(name);
  } finally {
    await client.end();
  }
  await using database = openDatabase({ url, applicationName: 'touchstone migrate', connectionsMax: 1 });
  await upkeep(database);
}
