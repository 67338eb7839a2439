import {
  CallerNotAllowed,
  type NewTokenRecord,
  type RevocationIntent,
  type TokenKey,
  type TokenRecord,
  tokenIdOf,
} from '@touchstone/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { issuedEvent, mint } from './minted.ts';
import { intentOfOne, revokeOne } from './revoke.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
  // Plans stay as they were made: when statistics are taken is a matter of chance.
  await store.database.query({ text: 'alter system set autovacuum = off' });
  await store.database.query({ text: 'select pg_reload_conf()' });
});
afterAll(() => store?.[Symbol.asyncDispose]());

/** How many rows have been read, as soon as the database has counted what `revocations` of them took. */
async function rowsRead(revocations: number): Promise<number> {
  let read = Number.NaN;
  const counted = async () => {
    const [row] = await store.database.query({
      text: `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int,
                    sum(n_tup_ins) filter (where relname = 'revocation')::int
               from pg_stat_user_tables where schemaname = 'touchstone'`,
    });
    read = row?.[0] as number;
    return row?.[1];
  };
  await expect.poll(counted, { timeout: 20_000 }).toBe(revocations);
  return read;
}

test.each([
  ['its target', () => ({})],
  ['its key', (number: number) => ({ reach: 'issued', idempotencyKey: `incident-${number}` }) as const],
])('however many there are that are known by %s, one more reads a handful of rows', async (_, over) => {
  const { length: before } = await store.database.query({ text: 'select from revocation' });
  const revoke = (number: number) => {
    const key = (before + number).toString(16).padStart(32, '0');
    return revokeOne(store, { tenantId: 't1', key: { partition: 30_000, key } }, over(number));
  };
  // First a few: the database keeps the plans that it makes now.
  const few = 10;
  for (let number = 0; number < few; number++) await revoke(number);
  const many = 5_000;
  await Promise.all(Array.from({ length: many }, (_, number) => revoke(few + number)));
  const read = await rowsRead(before + few + many);
  await revoke(few + many);
  expect((await rowsRead(before + few + many + 1)) - read).toBeLessThan(50);
});

test('whoever revokes much keeps no other tenant waiting', async () => {
  const revoke = (tenantId: string, number: number) => {
    const key = `${tenantId === 't1' ? 'a' : 'b'}${number.toString(16).padStart(31, '0')}`;
    return revokeOne(store, { tenantId, key: { partition: 30_001, key } });
  };
  const many = Array.from({ length: 1_500 }, (_, number) => revoke('t1', number));
  const other = await revoke('t2', 0);
  const revisions = (await Promise.all(many)).map(({ head }) => head.revision);
  // Those of one batch are one revision: it was in the first.
  expect(other.head.revision).toBe(Math.min(...revisions));
  expect(new Set(revisions).size).toBeGreaterThan(1);
});

/** Revokes it once its record was read, as RevokeToken does. @param over what of it is otherwise, told its record. */
const revokeRead = (
  { key, tenantId }: Pick<NewTokenRecord, 'key' | 'tenantId'>,
  over: (record: TokenRecord) => Partial<RevocationIntent> = () => ({}),
) =>
  store.revocations.writeToken({
    key,
    tenantIds: [tenantId],
    intentOf: (record) => record && intentOfOne(record, over(record)),
  });
const cutOf = (key: TokenKey) => ({ kind: 'token', key: tokenIdOf(key), tokenClass: 'token' }) as const;
/** With another one, of which only the record tells. */
const together = (root: NewTokenRecord) => (record: TokenRecord) => ({
  cuts: [record, root].map(({ key }) => cutOf(key)),
});

async function issue(over: Partial<NewTokenRecord> = {}): Promise<NewTokenRecord> {
  const record = await mint(store, over);
  await store.tokens.insert(record, issuedEvent(record));
  return record;
}

test('of tokens that are revoked together each is decided by its own record', async () => {
  const [alive, other] = [await issue(), await issue()];
  const tomorrow = alive.key.partition + 1;
  // The same id on two days: a copy of a row could have it.
  const copy = await issue({ key: { ...alive.key, partition: tomorrow }, tenantId: 'another' });
  const outcomes = await Promise.allSettled([
    revokeRead({ ...alive, tenantId: 'another' }),
    revokeRead(other, () => {
      throw new CallerNotAllowed('for a test');
    }),
    revokeRead({ ...alive, key: { ...alive.key, key: 'f'.repeat(32) } }),
    // Days of which there is no partition: one that is gone, one to come.
    revokeRead({ ...alive, key: { ...alive.key, partition: 12_345 } }),
    revokeRead({ ...alive, key: { ...alive.key, partition: 60_000 } }),
    revokeRead({ ...alive, key: copy.key }),
    revokeRead(alive),
  ]);
  const nothing = { status: 'fulfilled', value: { revocationId: null } };
  expect(outcomes).toMatchObject([
    nothing,
    { status: 'rejected', reason: expect.any(CallerNotAllowed) },
    ...[nothing, nothing, nothing, nothing],
    { status: 'fulfilled', value: { revocationId: tokenIdOf(alive.key) } },
  ]);
  const { watermarks } = await store.follow();
  expect([alive, other, copy].map(({ key }) => watermarks.isDead(cutOf(key)))).toEqual([true, false, false]);
});

test('what only the record tells to be cut may be dead already, and a repeat returns the first revocation', async () => {
  const [root, child, sister] = [await issue(), await issue(), await issue()];
  await revokeRead(root);
  const [first, second] = await Promise.all([revokeRead(child, together(root)), revokeRead(sister, together(root))]);
  expect([first, second].map(({ revocationId }) => revocationId)).toEqual(
    [child, sister].map(({ key }) => tokenIdOf(key)),
  );
  expect(await revokeRead(child, together(root))).toEqual(first);
  // The digest over all marks is looked at.
  expect((await store.follow()).applied.revision).toBe(second.head.revision);
});

test('one that the database refuses, or that makes it begin anew, keeps no other from being revoked, and no event is left out', async () => {
  const tokens = await Promise.all(Array.from({ length: 4 }, () => issue()));
  const [spoiled, ...others] = tokens as [NewTokenRecord, ...NewTokenRecord[]];
  // No text of Postgres has such a character.
  const refused = revokeRead(spoiled, () => ({ reason: '\u0000' }));
  const outcomes = await Promise.allSettled([refused, ...others.map((one) => revokeRead(one))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', ...others.map(() => 'fulfilled')]);
  await revokeRead(spoiled);
  const [row] = await store.database.query({
    text: `select count(*) = max(writer_sequence) from outbox
            where writer = (select writer from outbox order by id desc limit 1)`,
  });
  expect(row).toEqual([true]);
});
