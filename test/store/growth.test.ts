// Token tables of 18 gigabytes, and a janitor that left what had expired.
import { type NewTokenRecord, type OutboxLeader, platformTtlMax } from '@touchstone/core';
import { outbox, upkeep } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { type DatabaseClock, openDatabaseClock } from '../harness/database-clock.ts';
import { asRead, issuedEvent, mint } from './minted.ts';
import { revokeOne } from './revoke.ts';

const outboxBlock = 2_000_000;
const longestLife = platformTtlMax * 1_000;
const resources = new AsyncDisposableStack();
let store: TestDatabase;
let relay: OutboxLeader;
let clock: DatabaseClock;
/** By how much time has been made to pass, on every clock. */
let aheadMilliseconds = 0;
beforeAll(async () => {
  store = resources.use(await openTestDatabase());
  relay = resources.use((await outbox(store.database).lead()) as OutboxLeader);
  // What it reads would keep old versions of rows.
  await run('alter system set autovacuum = off');
  await run('select pg_reload_conf()');
  clock = await openDatabaseClock(store.postgres.adminUrl);
  await pass(10);
});
afterAll(() => resources.disposeAsync());

const run = (text: string) => store.database.query({ text });

async function issue(over: Partial<NewTokenRecord> = {}, lifeMilliseconds?: number): Promise<NewTokenRecord> {
  const record = await mint(store, over, lifeMilliseconds);
  expect(await store.tokens.insert(record, issuedEvent(record))).toBe(true);
  return record;
}

/** Some of every kind. */
async function issueMany(lifeMilliseconds?: number): Promise<NewTokenRecord[]> {
  const kinds: Partial<NewTokenRecord>[] = [
    {},
    { userHandle: null },
    { usage: 'batch' },
    { tokenClass: 'credential', appId: null, usage: null },
  ];
  return Promise.all(Array.from({ length: 2_000 }, (_, i) => issue(kinds[i % kinds.length], lifeMilliseconds)));
}

/** Publishes all that waits. */
async function publish(): Promise<void> {
  const last = (await relay.nextRevisions(10_000)).at(-1);
  if (last) await relay.markRevisions(last.revision);
  while ((await relay.nextAuditRecords(10_000)).length > 0) await relay.markAuditRecords();
}

/** Lets days pass: events come and go, upkeep does its work. */
async function pass(days: number): Promise<void> {
  for (let left = days; left > 0; left -= 30) {
    await publish();
    aheadMilliseconds += Math.min(left, 30) * 86_400_000;
    await clock.set(aheadMilliseconds);
    await run(`select setval('outbox_id', last_value + ${2 * outboxBlock}) from outbox_id`);
    await issue();
    await publish();
    await vi.waitUntil(
      async () => (await upkeep(store.database, Date.now() + aheadMilliseconds)).postponed.length === 0,
      { timeout: 60_000 },
    );
  }
}

/** Bytes of each table, with its indexes; of a partitioned one, of all its partitions. */
async function sizes(): Promise<Record<string, number>> {
  const rows = await run(`
    select regexp_replace(relname, '_[0-9]+$', ''), sum(pg_total_relation_size(oid))::bigint from pg_class
     where relnamespace = 'touchstone'::regnamespace and relkind = 'r' group by 1 order by 1`);
  return Object.fromEntries(rows);
}

/** By how many bytes tables have grown; of those that have. */
async function growthSince(before: Record<string, number>): Promise<Record<string, number>> {
  const grown = Object.entries(await sizes()).map(([table, size]) => [table, size - (before[table] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, bytes]) => bytes > 0));
}

const expired = () => run(`select count(*) from token where expires_at < now() - interval '3 days'`);

test('Hydra issues 1574, 2046, 3784: what tokens took is given back once they have expired, whatever their kind; those alive stay', {
  timeout: 180_000,
}, async () => {
  const before = await sizes();
  await issueMany();
  const alive = await issueMany(longestLife);
  expect(Object.keys(await growthSince(before))).toEqual(['outbox', 'token']);

  await pass(20);
  expect(await expired()).toEqual([[0]]);
  const { records } = await store.records.read(
    alive.map(({ key, tenantId }) => ({ key, tenantIds: [tenantId] })),
    0,
  );
  expect(records).toEqual(alive.map(asRead));

  await pass(100);
  expect(await expired()).toEqual([[0]]);
  expect(await sizes()).toEqual(before);
});

test('of tokens that were revoked there stays what is kept of their revocations, and nothing more', {
  timeout: 180_000,
}, async () => {
  const before = await sizes();
  const tokens = await issueMany();
  const revoked = tokens.slice(0, 500);
  for (const token of revoked) await revokeOne(store, token);
  await pass(20);
  const growth = await growthSince(before);
  expect(Object.keys(growth)).toEqual(['revision', 'revocation', 'watermark']);
  const bytes = Object.values(growth).reduce((sum, one) => sum + one, 0);
  expect(bytes / revoked.length).toBeLessThan(2_048);
});
