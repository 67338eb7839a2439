import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StoreUnavailable } from '@touchstone/core';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { locks } from './advisory-locks.ts';
import { type Database, openDatabase } from './database.ts';
import { upkeep } from './partitions.ts';

const directory = join(dirname(dirname(fileURLToPath(import.meta.url))), 'migrations');

const known = (): string[] =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => basename(file, '.sql'));

/** An older program would say that there is nothing to do. */
async function requireKnown(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(`select to_regclass('migration') is not null as there`);
  if (!rows[0]?.there) return;
  const applied = await client.query<{ name: string }>('select name from migration order by id');
  const names = new Set(known());
  const unknown = applied.rows.find(({ name }) => !names.has(name));
  if (unknown) throw new Error(`the database is of a newer version: this one does not know ${unknown.name}`);
}

/** A database that lacks some of the migrations is of an older version. @throws StoreUnavailable */
export async function requireMigrated(database: Database): Promise<void> {
  const applied = new Set((await database.query({ text: 'select name from migration' })).map(([name]) => name));
  const missing = known().find((name) => !applied.has(name));
  if (missing) throw new StoreUnavailable(new Error(`it is of an older version, without ${missing}: migrate it`));
}

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
    await client.query('select pg_advisory_lock($1)', [locks.migration]);
    await client.query('create schema if not exists touchstone');
    await client.query('set search_path = touchstone');
    await requireKnown(client);
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
