import { auditCodec } from '@touchstone/events';
import { makeLogins, type ServiceRole } from '@touchstone/local-stack';
import { type Database, openDatabase, outbox, recordReader, tokenWriter, upkeep } from '@touchstone/store-postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { openDatabaseClock } from '../harness/database-clock.ts';
import { asRead, issuedEvent, mint, wanted } from './minted.ts';

const block = 2_000_000;
const spentDays = [today() - 12, today() - 10];
const spentTokens = spentDays.map((day) => `token_${day}`);
const cleanup = new AsyncDisposableStack();

let store: TestDatabase;
/** A database as each of the services has it, by a login with no more than its role. */
let as: Readonly<Record<Exclude<ServiceRole, 'keys'>, Database>>;

beforeAll(async () => {
  store = cleanup.use(await openTestDatabase());
  const urls = await makeLogins(store.postgres.adminUrl);
  const open = (role: ServiceRole) =>
    cleanup.use(openDatabase({ url: urls[role], applicationName: role, connectionsMax: 4 }));
  as = { issuer: open('issuer'), validator: open('validator'), revocation: open('revocation'), upkeep: open('upkeep') };
});
afterAll(() => cleanup[Symbol.asyncDispose]());

function today(): number {
  return Math.floor(Date.now() / 86_400_000);
}

const run = (text: string) => store.database.query({ text });
const exists = async (name: string) => (await run(`select to_regclass('touchstone.${name}') is not null`))[0]?.[0];

/** A transaction that has read a table and stays open. */
async function openReader(table: string): Promise<AsyncDisposable> {
  const reader = new pg.Client({ connectionString: store.postgres.adminUrl });
  await reader.connect();
  await reader.query(`begin; select count(*) from touchstone.${table}`);
  return { [Symbol.asyncDispose]: () => reader.end() };
}

/** Issues a token, as the issuer does, and reads it in a gathered read, as the validator does. */
async function issueAndRead(): Promise<void> {
  const tokens = tokenWriter(as.issuer, 'issuer', auditCodec);
  const record = await mint({ ...store, tokens });
  expect(await tokens.insert(record, issuedEvent(record))).toBe(true);
  expect((await recordReader(as.validator).read([wanted(record)], 0)).records).toEqual([asRead(record)]);
}

/** Who waits for a lock that upkeep holds or waits for itself. */
const waitingForUpkeep = () =>
  run(`select w.usename from pg_stat_activity w, pg_stat_activity u
        where u.usename = 'touchstone_upkeep_login' and u.pid = any(pg_blocking_pids(w.pid))`);

test('while a reader holds the table for long, tokens are issued and read and partitions made; the spent ones go afterwards', async () => {
  for (const day of spentDays) await run(`select attach_token_partition(${day})`);
  const ahead = `token_${today() + 90}`;
  await run(`drop table ${ahead} cascade`);
  await run(
    `insert into census values ('gone', 'issuer', '', '', 0, now() - interval '2 days', now() - interval '2 days')`,
  );
  {
    await using _ = await openReader('token');
    let over = false;
    const upkeeping = upkeep(as.upkeep).finally(() => {
      over = true;
    });
    const overAndOver = async (work: () => Promise<void>) => {
      do await work();
      while (!over);
    };
    const waiting: unknown[] = [];
    const watch = async () => void waiting.push(...(await waitingForUpkeep()));
    // All of this ends while the reader is there: nothing of it waits for the reader.
    await Promise.all([overAndOver(issueAndRead), overAndOver(watch)]);
    expect(await upkeeping).toEqual({ made: 1, dropped: [], postponed: spentTokens });
    expect(waiting).toEqual([]);
    expect(await exists(ahead)).toBe(true);
    expect(await run(`select from census where instance_id = 'gone'`)).toEqual([]);
    // One is half detached now.
    expect(await upkeep(as.upkeep)).toEqual({ made: 0, dropped: [], postponed: spentTokens });
    await issueAndRead();
  }
  expect(await upkeep(as.upkeep)).toEqual({ made: 0, dropped: spentTokens, postponed: [] });
  for (const name of spentTokens) expect(await exists(name)).toBe(false);
});

test("a clock of the database that runs ahead takes no partition with it that is not spent by this machine's", async () => {
  const clock = await openDatabaseClock(store.postgres.adminUrl);
  await clock.set(30 * 86_400_000);
  try {
    await run(`select attach_token_partition(${spentDays[0]})`);
    expect(await upkeep(as.upkeep)).toEqual({ made: 30, dropped: spentTokens.slice(0, 1), postponed: [] });
  } finally {
    await clock.set(0);
  }
  await issueAndRead();
  for (let day = today() - 1; day < today() + 90; day++) {
    expect(await exists(`token_${day}`), `today and ${day - today()}`).toBe(day >= today());
  }
});

test('on a slow disk partitions are made too, though all of them take longer than a statement may', async () => {
  const days = Array.from({ length: 6 }, (_, i) => today() + 85 + i);
  for (const day of days) await run(`drop table token_${day} cascade`);
  await run(`create function be_slow() returns event_trigger language plpgsql as 'begin perform pg_sleep(1); end'`);
  await run(`create event trigger slow on ddl_command_end when tag in ('CREATE TABLE') execute function be_slow()`);
  try {
    expect(await upkeep(as.upkeep)).toMatchObject({ made: days.length });
  } finally {
    await run('drop event trigger slow');
    await run('drop function be_slow');
  }
  await issueAndRead();
});

test('what was half detached is finished first, whichever it is', async () => {
  for (const day of spentDays) await run(`select attach_token_partition(${day})`);
  const [first, second] = spentTokens;
  {
    await using _ = await openReader('token');
    const detach = new pg.Client({ connectionString: store.postgres.adminUrl, options: '-c lock_timeout=100ms' });
    await detach.connect();
    await expect(
      detach.query(`alter table touchstone.token detach partition touchstone.${second} concurrently`),
    ).rejects.toThrow('lock timeout');
    await detach.end();
  }
  expect(await upkeep(as.upkeep)).toEqual({ made: 0, dropped: [second, first], postponed: [] });
});

test('several rounds of upkeep at once do no harm', async () => {
  for (const day of spentDays) await run(`select attach_token_partition(${day})`);
  await Promise.all([upkeep(as.upkeep), upkeep(as.upkeep), upkeep(as.upkeep)]);
  await upkeep(as.upkeep);
  for (const name of spentTokens) expect(await exists(name)).toBe(false);
});

test('a second round finds nothing to do', async () => {
  expect(await upkeep(as.upkeep)).toEqual({ made: 0, dropped: [], postponed: [] });
});

test('partitions of the outbox go once all that they hold has been sent, and not before', async () => {
  const sentUpTo = async (id: number) =>
    run(`update relay_position set (transaction_id, outbox_id) =
         (select o.transaction_id, o.id from outbox o where o.id <= ${id} order by o.id desc limit 1)`);
  await issueAndRead();
  await run(`select setval('outbox_id', ${3 * block})`);
  await issueAndRead();
  expect(await upkeep(as.upkeep)).toMatchObject({ dropped: [], postponed: [] });
  expect(await exists('outbox_11')).toBe(true);

  await sentUpTo(3 * block + 1);
  {
    await using _ = await openReader('outbox');
    expect(await upkeep(as.upkeep)).toMatchObject({ dropped: [], postponed: ['outbox_0', 'outbox_1'] });
    await issueAndRead();
  }
  expect(await upkeep(as.upkeep)).toMatchObject({ dropped: ['outbox_0', 'outbox_1'], postponed: [] });
});

test('an event that came later than the last one sent keeps its partition, however low its number', async () => {
  await run(`select setval('outbox_id', ${9 * block})`);
  await issueAndRead();
  await run(`update relay_position set (transaction_id, outbox_id) =
             (select o.transaction_id, o.id from outbox o where o.id > ${9 * block})`);
  await run(`select setval('outbox_id', ${4 * block})`);
  await issueAndRead();
  await run(`select setval('outbox_id', ${9 * block + 1})`);
  await upkeep(as.upkeep);
  expect(await exists('outbox_3')).toBe(false);
  expect(await exists('outbox_4')).toBe(true);
  expect(await exists('outbox_5')).toBe(false);
});

test('however wide a gap there is in the numbers of events, those beyond it are sent', async () => {
  await using leader = await outbox(as.revocation).lead();
  const send = async () => {
    const records = await leader?.nextAuditRecords(100);
    await leader?.markAuditRecords();
    return records?.length;
  };
  await issueAndRead();
  expect(await send()).toBeGreaterThan(0);
  await run(`select setval('outbox_id', ${20 * block})`);
  await upkeep(as.upkeep);
  await issueAndRead();
  expect(await send()).toBe(1);
});

test.each([
  ['refresh_use', `now(), 'request', ''`],
  ['live_token', `0, 'app', 'user'`],
])('what %s keeps of a token goes two days after that has expired, and not before', async (table, values) => {
  const columns = { refresh_use: 'used_at, request, answer', live_token: 'expiry_day, app_id, user_handle' }[table];
  await run(`
    insert into ${table} (id, expires_at, ${columns})
    select gen_random_uuid(), now() - interval '2 days' + late * interval '1 minute', ${values} from unnest(array_fill(-1, array[10001]) || 1) late`);
  await upkeep(as.upkeep);
  expect(await run(`select round(extract(epoch from now() - expires_at) / 3600)::int from ${table}`)).toEqual([[48]]);
  expect(await run(`select expires_at > now() - interval '2 days' from ${table}`)).toEqual([[true]]);
});

test('a token of a day that is gone costs no connection, and others one further reading at most', async () => {
  const record = await mint(store);
  expect(await store.tokens.insert(record, issuedEvent(record))).toBe(true);
  const spent = { ...wanted(record), key: { key: '0'.repeat(32), partition: spentDays[0] as number } };
  const database = cleanup.use(
    openDatabase({ url: store.postgres.adminUrl, applicationName: 'reads what is gone', connectionsMax: 1 }),
  );
  let statements = 0;
  const counted: Database = {
    ...database,
    query(statement) {
      statements++;
      return database.query(statement);
    },
  };
  const { read } = recordReader(counted);
  const readBoth = async () => (await read([wanted(record), spent], 0)).records;
  const connection = async () => (await database.query({ text: 'select pg_backend_pid()' }))[0]?.[0];
  const before = await connection();
  expect(await readBoth()).toEqual([asRead(record), null]);
  const first = statements;
  expect(await readBoth()).toEqual([asRead(record), null]);
  expect(statements).toBe(first + 1);
  expect(await connection()).toBe(before);
});
