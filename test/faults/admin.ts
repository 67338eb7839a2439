import type { LocalPostgres } from '@touchstone/local-stack';
import { locks } from '@touchstone/store-postgres';
import pg from 'pg';
import { untilTrue } from './until.ts';

/** A connection to the database as its superuser, for looking at it and getting in the way. */
export async function openAdmin({
  postgres,
}: {
  readonly postgres: LocalPostgres;
}): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: postgres.adminUrl, options: '-c search_path=touchstone' });
  client.on('error', () => {}); // Tests crash the server under it.
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Of pg_locks: that the relay that leads holds. */
export const isRelayLock = `locktype = 'advisory' and objid = ${locks.relay} and granted`;

/** The one number that a query gives. */
export async function numberOf(client: pg.Client, sql: string, values: unknown[] = []): Promise<number> {
  const { rows } = await client.query({ text: sql, values, rowMode: 'array' });
  return Number(rows[0]?.[0]);
}

/** Waits until every replica has applied the last revision, and has said so. */
export async function untilAllFollow(client: pg.Client): Promise<void> {
  const behind = 'select count(*) from census where applied_revision < (select revision from history)';
  await untilTrue('all have followed', async () => (await numberOf(client, behind)) === 0);
}

/** Waits until every revision is on the topic. */
export async function untilPublished(stack: Parameters<typeof openAdmin>[0]): Promise<void> {
  await using admin = await openAdmin(stack);
  const waiting = 'select (select revision from history) - (select revision from relay_position)';
  await untilTrue('all revisions are published', async () => (await numberOf(admin, waiting)) === 0);
}
