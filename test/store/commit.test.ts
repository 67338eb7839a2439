import { genesis, StoreUnavailable } from '@touchstone/core';
import { census, openDatabase } from '@touchstone/store-postgres';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { revokeAll } from './revoke.ts';

let store: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  store = await openTestDatabase();
  admin = new pg.Client({ connectionString: store.postgres.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await store?.[Symbol.asyncDispose]();
});

/** Commits wait for these standbys; the admin's own don't. */
async function standbys(names: string): Promise<void> {
  await admin.query('set synchronous_commit = local');
  await admin.query(`alter system set synchronous_standby_names = '${names}'`);
  await admin.query('select pg_reload_conf()');
  const setting = async () => (await admin.query('show synchronous_standby_names')).rows[0];
  await expect.poll(setting).toEqual({ synchronous_standby_names: names });
}
beforeEach(() => standbys('absent'));
afterEach(() => standbys(''));

const replica = { instanceId: 'one', service: 'validator', address: '', build: '' };
const beat = (database = store.database) => census(database, replica, 5_000).beat(genesis);

const revoke = () => revokeAll(store, 'r1');

/** Ends the wait of whoever waits for a standby, which leaves the commit to this server alone. */
async function endWait(end: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void> {
  const text = `select ${end}(pid) from pg_stat_activity where wait_event = 'SyncRep'`;
  await expect.poll(async () => (await admin.query(text)).rowCount).toBe(1);
}

test.each([
  ['one statement', beat, 'pg_cancel_backend'],
  ['one statement', beat, 'pg_terminate_backend'],
  ['a transaction', revoke, 'pg_cancel_backend'],
] as const)('%s whose wait for the standby is ended has failed (%#)', async (_, write, end) => {
  const outcome = expect(write()).rejects.toThrow(StoreUnavailable);
  await endWait(end);
  await outcome;
});

test('nor is it a success for a login that is not told of warnings', async () => {
  await admin.query('alter role current_user set client_min_messages = error');
  try {
    const options = { url: store.postgres.adminUrl, applicationName: 'hushed', connectionsMax: 1 };
    await using hushed = openDatabase(options);
    const outcome = expect(beat(hushed)).rejects.toThrow(StoreUnavailable);
    await endWait('pg_cancel_backend');
    await outcome;
  } finally {
    await admin.query('alter role current_user reset client_min_messages');
  }
});

test('a commit that waits for ever is given up no later than a statement is', async () => {
  const started = performance.now();
  await expect(revoke()).rejects.toThrow(StoreUnavailable);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('what the server warns of beside that fails nothing', async () => {
  await standbys('');
  await admin.query(`
    create function touchstone.warns() returns trigger language plpgsql as $$
    begin raise warning 'a database must be vacuumed'; return new; end $$;
    create trigger warns before insert or update on touchstone.census for each row execute function touchstone.warns()`);
  await beat();
  await admin.query('drop function touchstone.warns cascade');
});
