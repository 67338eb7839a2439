import type { Client } from 'pg';
import type { Source } from './canary.ts';

const pageRows = 500;
const byteaOid = 17;

// Partitioned tables hold nothing themselves; the values of TOAST tables come with their owners.
const tablesQuery = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm', 'S') and c.relpersistence <> 't' and n.nspname !~ '^pg_toast'
  order by 1`;

// Queries of others, with their parameters where they are shown; prepared statements; comments on roles and databases.
const viewsQuery = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'v' and c.relname in
    ('pg_stat_activity', 'pg_stat_statements', 'pg_prepared_statements', 'pg_prepared_xacts', 'pg_settings',
     'pg_replication_slots', 'pg_stat_replication', 'pg_cursors')
  order by 1`;

/**
 * What a dump of the database shows and more: every row of every table and sequence, the system
 * catalogues too (planner statistics hold sample values, functions their source, large objects their
 * data), and the views that show the queries of others. Columns come as text, some hundred rows to a source;
 * each `bytea` also by itself as raw bytes.
 *
 * The client should be a superuser's and must not be in a transaction. What it may not read is an
 * error: nothing is passed over in silence. Not read: tables that row security, sessions or foreign
 * servers keep for themselves, and other databases of the cluster.
 */
export async function* postgresTables(client: Client): AsyncIterable<Source> {
  await client.query('begin isolation level repeatable read read only');
  try {
    await client.query("set local row_security = off; set local bytea_output = 'hex'");
    for (const name of await namesOf(client, tablesQuery)) yield* relation(client, name, 'only ');
    for (const name of await namesOf(client, viewsQuery)) yield* relation(client, name, '');
  } finally {
    await client.query('rollback');
  }
}

async function namesOf(client: Client, query: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(query);
  return rows.map((row) => row.name);
}

async function* relation(client: Client, name: string, only: string): AsyncIterable<Source> {
  await client.query(`declare canary_rows no scroll cursor for select r.* from ${only}${name} r`);
  for (let first = 0; ; first += pageRows) {
    const rows = await fetchRows(client);
    if (rows.length === 0) break;
    yield { name: `${name} rows ${first}-${first + rows.length - 1}`, bytes: textOf(rows) };
    yield* rawValues(`${name} row`, first, rows);
  }
  await client.query('close canary_rows');
}

type Row = readonly (string | Buffer | null)[];

async function fetchRows(client: Client): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>({
    text: `fetch ${pageRows} from canary_rows`,
    rowMode: 'array',
    types: { getTypeParser: (oid: number) => (oid === byteaOid ? bytesOf : String) },
  } as never);
  return rows;
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.slice(2), 'hex');
}

function textOf(rows: readonly Row[]): Buffer {
  const lines = rows.map((columns) => columns.filter((column) => typeof column === 'string').join('\n'));
  return Buffer.from(lines.join('\n'));
}

function* rawValues(name: string, first: number, rows: readonly Row[]): Generator<Source> {
  for (const [index, columns] of rows.entries()) {
    for (const [column, bytes] of columns.entries()) {
      if (Buffer.isBuffer(bytes)) yield { name: `${name} ${first + index} column ${column}`, bytes };
    }
  }
}
