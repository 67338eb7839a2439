import { makeLogins } from '@touchstone/local-stack';
import { type Database, type Erased, eraseDue, openDatabase } from '@touchstone/store-postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';

const cleanup = new AsyncDisposableStack();
const day = Math.floor(Date.now() / 86_400_000) + 1;
let store: TestDatabase;
let upkeep: Database;

beforeAll(async () => {
  store = cleanup.use(await openTestDatabase());
  const { upkeep: url } = await makeLogins(store.postgres.adminUrl);
  upkeep = cleanup.use(openDatabase({ url, applicationName: 'upkeep', connectionsMax: 2 }));
  await run(
    `insert into data_key (data_key_id, purpose, key_encryption_id, wrapped, generation) values ('k', 'consent', '', '', 1)`,
  );
  // Tells what each statement deletes, and in which transaction.
  await run('create table deletion (what text, count bigint, transaction_id xid8)');
  await run(
    `create function note_deletion() returns trigger language plpgsql security definer as $$ begin
       insert into touchstone.deletion
       select tg_table_name, count(*), pg_current_xact_id() from gone having count(*) > 0;
       return null;
     end $$`,
  );
  for (const table of ['consent', 'consent_key', `token_${day}`]) {
    await run(
      `create trigger noted after delete on ${table} referencing old table as gone
         for each statement execute function note_deletion()`,
    );
  }
});
afterAll(() => cleanup[Symbol.asyncDispose]());

const run = (text: string, ...values: unknown[]) => store.database.query({ text, values });
const countOf = async (table: string, where: string) =>
  (await run(`select count(*) from ${table} where ${where}`))[0]?.[0];
const erasedOf = async (tenantId: string) =>
  (await run('select erased_at is not null from erasure where tenant_id = $1', tenantId))[0]?.[0];

/** A tenant with one user, whose consents were all withdrawn, and tokens under those: some of five to a page. */
async function addTenant(tenantId: string, { consents, tokens }: { consents: number; tokens: number }): Promise<void> {
  await run(`insert into tenant (tenant_id, entry, mac) values ($1, 'entry', 'mac')`, tenantId);
  await run(`insert into app (app_id, tenant_id, entry, mac) values ($1, $1, 'entry', 'mac')`, tenantId);
  await run(
    `insert into consent (consent_id, tenant_id, app_id, user_handle, grants, recorded_at, expires_at, idempotency_key,
                          mac, disabled_revision)
     select $1 || n, $1, $1, $1, '[1]', now(), now(), n::text, '', 1 from generate_series(1, $2::int) n`,
    tenantId,
    consents,
  );
  await run(`insert into consent_key select consent_id, 'k', '' from consent where tenant_id = $1`, tenantId);
  await run(
    `insert into token (expiry_day, id, token_class, tenant_id, app_id, user_handle, audience, scopes, method, policy_version,
                        sequence, issued_at, expires_at, token_hash, tag_key_id, seal_key_id, sealed)
     select $3, gen_random_uuid(), 'token', $1, $1, $1, '', '{read}', 'reference', 0, 1, now(), now(), '', 0, 0,
            convert_to(repeat('x', 1300), 'utf8')
       from generate_series(1, $2::int) n`,
    tenantId,
    tokens,
    day,
  );
  await run(
    `insert into live_token select expiry_day, id, app_id, user_handle, expires_at from token where tenant_id = $1`,
    tenantId,
  );
}

const request = (tenantId: string, what: Erased) =>
  run(
    `insert into erasure (erasure_id, tenant_id, user_handle, ceiling, revision, requested_at)
     values ($1, $1, $2, $3, $3, now() - interval '1 hour')`,
    tenantId,
    what === 'users' ? tenantId : null,
    what === 'users' ? 1 : null,
  );

/** Begins to erase, as a replica does. Disposed it rests no longer. */
function begin(what: Erased): AsyncDisposable {
  const stop = new AbortController();
  const erasing = eraseDue(upkeep, what, stop.signal).catch(() => 0);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await erasing;
    },
  };
}
const untilErased = (tenantId: string) => expect.poll(() => erasedOf(tenantId), { timeout: 30_000 }).toBe(true);

test('what a tenant has, however much, is deleted in small pieces, each committed by itself', async () => {
  await addTenant('large', { consents: 4_500, tokens: 25_000 });
  await addTenant('other', { consents: 5, tokens: 5 });
  await request('large', 'tenants');
  {
    await using _ = begin('tenants');
    await untilErased('large');
  }
  const deleted = await run(
    `select what, sum(count)::int, max(count) <= 2000, count(distinct transaction_id) from deletion group by 1 order by 1`,
  );
  expect(deleted).toEqual([
    ['consent', 4_500, true, 3],
    ['consent_key', 4_500, true, 3],
    [`token_${day}`, 25_000, false, 2],
  ]);
  for (const table of ['consent', 'token']) {
    expect(await countOf(table, `tenant_id = 'large'`)).toBe(0);
    expect(await countOf(table, `tenant_id = 'other'`)).toBe(5);
  }
  expect(await run('select distinct app_id from live_token')).toEqual([['other']]);
  expect(await countOf('app', `app_id = 'large' and entry = ''`)).toBe(1);
});

test('users are erased whatever keeps a tenant from it, and that one once nothing does', async () => {
  await addTenant('held', { consents: 5, tokens: 5 });
  await addTenant('with user', { consents: 5, tokens: 5 });
  await request('held', 'tenants');
  await request('with user', 'users');
  const holder = new pg.Client({ connectionString: store.postgres.adminUrl });
  await holder.connect();
  try {
    await holder.query(`begin; select from touchstone.consent where consent_id = 'held1' for update`);
    await using _tenants = begin('tenants');
    await using _users = begin('users');
    await untilErased('with user');
    expect(await countOf('token', `tenant_id = 'with user'`)).toBe(0);
    expect(await countOf('consent', `tenant_id = 'with user'`)).toBe(0);
    await expect.poll(() => countOf('token', `tenant_id = 'held'`), { timeout: 10_000 }).toBe(0);
    expect(await countOf('consent', `tenant_id = 'held'`)).toBe(5);
    expect(await erasedOf('held')).toBe(false);
  } finally {
    await holder.end();
  }
  await using _ = begin('tenants');
  await untilErased('held');
});

test('after a replica has erased something another one does not go on before it has rested', async () => {
  for (const tenantId of ['first', 'second']) await addTenant(tenantId, { consents: 1, tokens: 1 });
  await request('first', 'users');
  {
    await using _ = begin('users');
    await untilErased('first');
    await request('second', 'users');
    expect(await eraseDue(upkeep, 'users', new AbortController().signal)).toBe(0);
  }
  await using _ = begin('users');
  await untilErased('second');
});
