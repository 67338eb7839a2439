import { freePair, openTemporaryFolder, startPostgres } from '@touchstone/local-stack';
import { migrate, openDatabase, requireMigrated } from '@touchstone/store-postgres';
import pg from 'pg';
import { expect, test } from 'vitest';

test('several that migrate an empty database at once leave it as one does', async () => {
  await using folder = await openTemporaryFolder();
  const [port] = await freePair();
  await using postgres = await startPostgres({ dataDir: `${folder.path}/postgres`, port });
  const applied: string[][] = [];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      const mine: string[] = [];
      await migrate(postgres.adminUrl, (name) => mine.push(name));
      applied.push(mine);
    }),
  );
  const busy = applied.filter((mine) => mine.length > 0);
  expect(busy).toHaveLength(1);
  expect(busy[0]).toEqual([...(busy[0] ?? [])].sort());

  const client = new pg.Client({ connectionString: postgres.adminUrl });
  await client.connect();
  const { rows } = await client.query('select count(*)::int as partitions from pg_inherits');
  await client.end();
  // A day each for the longest life and a week more, and what the outbox keeps ahead.
  expect(rows[0].partitions).toBeGreaterThan(97 + 8);
});

test('a database of another version is found out, by who migrates and by who uses it', async () => {
  await using folder = await openTemporaryFolder();
  const [port] = await freePair();
  await using postgres = await startPostgres({ dataDir: `${folder.path}/postgres`, port });
  const { adminUrl } = postgres;
  await migrate(adminUrl);
  await using database = openDatabase({ url: adminUrl, applicationName: 'test', connectionsMax: 1 });
  await requireMigrated(database);
  const [row] = await database.query({
    text: 'delete from migration where id = (select max(id) from migration) returning name',
  });
  const why = `it is of an older version, without ${row?.[0]}: migrate it`;
  await expect(requireMigrated(database)).rejects.toMatchObject({ cause: { message: why } });
  await database.query({
    text: `insert into migration (name, run_on) values ($1, now()), ('9999_later', now())`,
    values: [row?.[0]],
  });
  await requireMigrated(database);
  await expect(migrate(adminUrl)).rejects.toThrow(
    'the database is of a newer version: this one does not know 9999_later',
  );
});

test('what a connection is called, and how it behaves, is not for the URL to say', async () => {
  await using folder = await openTemporaryFolder();
  const [port] = await freePair();
  await using postgres = await startPostgres({ dataDir: `${folder.path}/postgres`, port });
  const more = 'application_name=mine&options=-c%20search_path%3Dmine&statement_timeout=1&sslmode=disable';
  const url = `${postgres.adminUrl}?${more}`;
  await using database = openDatabase({ url, applicationName: 'touchstone test', connectionsMax: 1 });
  const text = `select current_setting('application_name'), current_setting('search_path'), current_setting('statement_timeout')`;
  expect(await database.query({ text })).toEqual([['touchstone test', 'touchstone', '5s']]);
});
