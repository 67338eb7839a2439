import type { ServiceRole } from '@touchstone/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allowed } from './allowed-rights.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { rightsOf } from './rights.ts';

const roles = Object.keys(allowed) as ServiceRole[];
const denied = '42501';

let own: OwnStack;
let superuser: pg.Client;
const logins = new Map<ServiceRole, pg.Client>();
beforeAll(async () => {
  own = await openOwnStack();
  superuser = await own.superuser();
  for (const role of roles) {
    const client = new pg.Client({
      connectionString: own.stack.databaseUrls[role],
      options: '-c search_path=touchstone',
    });
    await client.connect();
    logins.set(role, client);
  }
});
afterAll(async () => {
  for (const client of logins.values()) await client.end();
  await own?.[Symbol.asyncDispose]();
});

/** What the server says to a statement, which leaves nothing behind: `ok`, or the SQLSTATE. */
async function said(role: ServiceRole, statement: string): Promise<string> {
  const client = logins.get(role) as pg.Client;
  await client.query('begin');
  try {
    await client.query(statement);
    return 'ok';
  } catch (error) {
    return (error as pg.DatabaseError).code ?? String(error);
  } finally {
    await client.query('rollback');
  }
}

describe.each(roles)('the login of the role %s', (role) => {
  test('has exactly the rights that it is listed with', async () => {
    const login = new URL(own.stack.databaseUrls[role]).username;
    expect(await rightsOf(superuser, login)).toEqual(allowed[role]);
  });

  test('is denied by the server whatever else it tries on a table, and nothing that it may', async () => {
    for (const table of await tables()) {
      const rights = (allowed[role][`table ${table.kind}`] ?? '').split(' ');
      for (const [right, statement] of statementsOn(table)) {
        const isAllowed = rights.includes(right) || rights.includes('own');
        expect([statement, (await said(role, statement)) === denied]).toEqual([statement, !isAllowed]);
      }
    }
  });

  test.each([
    ['select', (table: Table, column: string) => `select ${column} from ${table.name} limit 0`],
    ['update', (table: Table, column: string) => `update ${table.name} set ${column} = null where false`],
  ] as const)('has the right to %s of no column that it is not listed with', async (right, statementOn) => {
    for (const table of await tables()) {
      const rights = allowed[role][`table ${table.kind}`] ?? '';
      if (new RegExp(`\\b(${right}|own)\\b(?!\\()`).test(rights)) continue;
      const listed = new RegExp(`${right}\\((.*?)\\)`).exec(rights)?.[1]?.split(',') ?? [];
      for (const column of table.columns) {
        const statement = statementOn(table, column);
        expect([statement, (await said(role, statement)) === denied]).toEqual([statement, !listed.includes(column)]);
      }
    }
  });

  test.each([
    'create role intruder',
    'create role intruder superuser login',
    'alter role current_user superuser',
    'alter role postgres password null',
    'grant touchstone_issuer to current_user',
    'set role postgres',
    'set session authorization postgres',
    'set session_replication_role = replica',
    'select rolpassword from pg_authid',
    'select passwd from pg_shadow',
    'set log_statement = none',
    `select pg_read_file('PG_VERSION')`,
    `select pg_ls_dir('.')`,
    `copy (select 1) to program 'true'`,
    `copy (select 1) to '/tmp/touchstone-test'`,
    `create function pg_temp.f() returns int language c as 'libc.so', 'system'`,
    'create schema elsewhere',
    'create table public.elsewhere (x int)',
    'drop schema touchstone cascade',
    'alter schema touchstone rename to elsewhere',
    'drop sequence token_sequence',
    `select setval('token_sequence', 1)`,
    `select setval('outbox_id', 1)`,
    'select pg_terminate_backend(pid) from pg_stat_activity where usename = $$postgres$$',
    'create function pg_catalog.clock_timestamp(int) returns int language sql as $$ select 1 $$',
    'select from bootstrap',
    'delete from migration',
  ])('is denied: %s', async (statement) => {
    expect(await said(role, statement)).toBe(denied);
  });
});

test('nobody but upkeep makes tables, attaches, detaches or drops partitions', async () => {
  const [token, outbox] = [await partitionOf('token'), await partitionOf('outbox')];
  const statements = [
    'create table intruder (x int)',
    'select attach_token_partition(1)',
    'select attach_outbox_partition(1000, 10)',
    `alter table token detach partition ${token}`,
    `alter table outbox detach partition ${outbox}`,
    `drop table ${token}`,
    `drop table ${outbox}`,
    'drop table token cascade',
  ];
  for (const role of roles) {
    for (const statement of statements) {
      expect([role, statement, (await said(role, statement)) === denied]).toEqual([role, statement, role !== 'upkeep']);
    }
  }
});

interface Table {
  readonly name: string;
  /** `token partition` for each partition of `token`. */
  readonly kind: string;
  readonly columns: readonly string[];
}

/** Every table, and one partition of each that has some. */
async function tables(): Promise<Table[]> {
  const { rows } = await superuser.query<Table>(`
    select distinct on (kind) name, kind, columns from (
      select c.relname::text as name, coalesce(p.relname || ' partition', c.relname) as kind,
             (select array_agg(quote_ident(attname)) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
        from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
       where c.relnamespace = 'touchstone'::regnamespace and c.relkind in ('r', 'p')) t order by kind, name`);
  expect(rows.map(({ kind }) => kind)).toContain('token partition');
  return rows;
}

async function partitionOf(kind: string): Promise<string> {
  return (await tables()).find((table) => table.kind === `${kind} partition`)?.name ?? '';
}

const statementsOn = ({ name, columns: [column] }: Table): readonly (readonly [right: string, statement: string])[] => [
  ['select', `select * from ${name} limit 0`],
  ['insert', `insert into ${name} (${column}) select (null::${name}).${column} where false`],
  ['delete', `delete from ${name} where false`],
  ['truncate', `truncate ${name} cascade`],
  ['own', `alter table ${name} add column intruder int`],
  ['own', `alter table ${name} alter column ${column} drop default`],
  ['own', `alter table ${name} disable trigger all`],
  ['own', `create index on ${name} (${column})`],
  ['trigger', `create trigger t before insert on ${name} execute function suppress_redundant_updates_trigger()`],
  ['own', `create rule intruder as on insert to ${name} do instead nothing`],
  ['own', `drop table ${name} cascade`],
];
