import pg from 'pg';

/** The clock of a database, which a test can set: for `clock_timestamp()` and `now()`, wherever they are called by name. */
export interface DatabaseClock {
  /** @param milliseconds ahead of the truth; below 0: behind it. From the next statement on. */
  set(milliseconds: number): Promise<void>;
}

const shadowing = `
  create schema set_clock;
  create table set_clock.ahead as select interval '0' as by;
  grant usage on schema set_clock to public;
  grant select on set_clock.ahead to public;
  alter function pg_catalog.clock_timestamp() rename to true_clock_timestamp;
  alter function pg_catalog.now() rename to true_now;
  create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile
    as $$ select pg_catalog.true_clock_timestamp() + (select by from set_clock.ahead) $$;
  create function pg_catalog.now() returns timestamptz language sql stable
    as $$ select pg_catalog.true_now() + (select by from set_clock.ahead) $$`;

/** Services that are connected by then know the functions from before. */
const reconnecting = `select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename like 'touchstone%'`;

export async function openDatabaseClock(adminUrl: string): Promise<DatabaseClock> {
  await run(adminUrl, shadowing);
  await run(adminUrl, reconnecting);
  return databaseClockOf(adminUrl);
}

/** Of a copy of a database whose clock can be set. */
export const databaseClockOf = (adminUrl: string): DatabaseClock => ({
  set: (milliseconds) =>
    run(adminUrl, `update set_clock.ahead set by = $1::float8 * interval '1 millisecond'`, [milliseconds]),
});

async function run(adminUrl: string, text: string, values?: unknown[]): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  await client.query(text, values).finally(() => client.end());
}
