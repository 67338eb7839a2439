import { freePair, openTemporaryFolder, startPostgres } from '@touchstone/local-stack';
import { migrate } from '@touchstone/store-postgres';
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
