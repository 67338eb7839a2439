import {
  type NewTokenRecord,
  Overloaded,
  partitionOf,
  type Room,
  StoreUnavailable,
  type TokenRecord,
  TooManyTokens,
} from '@touchstone/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { asRead, issuedEvent, mint as mintFor, wanted } from './minted.ts';
import { revokeOne } from './revoke.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store[Symbol.asyncDispose]());

const mint = (over: Partial<NewTokenRecord> = {}) => mintFor(store, over);
const insert = (record: NewTokenRecord) => store.tokens.insert(record, issuedEvent(record));
const read = async (record: NewTokenRecord) => (await store.records.read([wanted(record)], 0)).records[0];

/** A consent with its key, as far as issuing looks at them. */
async function addConsent(consentId: string, wrapped: Buffer): Promise<void> {
  const statements = [
    `insert into tenant (tenant_id, entry, mac) values ('acme', '', '') on conflict do nothing`,
    `insert into app (app_id, tenant_id, entry, mac) values ('app', 'acme', '', '') on conflict do nothing`,
    `insert into data_key (data_key_id, purpose, key_encryption_id, wrapped, generation)
     values ('d', 'consent', '', '', 1) on conflict do nothing`,
  ];
  for (const text of statements) await store.database.query({ text });
  await store.database.query({
    text: `insert into consent (consent_id, tenant_id, app_id, user_handle, grants, recorded_at, expires_at, idempotency_key, mac)
           values ($1, 'acme', 'app', '', '[1]', now(), now(), $1, '')`,
    values: [consentId],
  });
  const text = `insert into consent_key (consent_id, data_key_id, wrapped) values ($1, 'd', $2)`;
  await store.database.query({ text, values: [consentId, wrapped] });
}

test('a record comes back as it was written, to the last column', async () => {
  await addConsent('c', Buffer.from('key'));
  const lineage = [
    {
      tokenId: 'tok_p',
      sequence: 1,
      tenantId: 'acme',
      appId: 'a',
      userHandle: null,
      consentId: 'c',
      audience: 'orders',
      signingKeyId: 'k',
      expiresAt: Date.now() + 60_000,
    },
  ] as const;
  const record = await mint({ lineage, confirmation: '{"x5t#S256":"abc"}', consentId: 'c', signingKeyId: 'k' });
  expect(await insert(record)).toBe(true);
  expect(await read(record)).toEqual(asRead(record));
});

test('the key of its consent comes with the record of a token that was made under it, and with no other', async () => {
  await addConsent('kept', Buffer.from('key'));
  const [under, beside] = [await mint({ consentId: 'kept', method: 'consent_key' }), await mint({ consentId: 'kept' })];
  expect([await insert(under), await insert(beside)]).toEqual([true, true]);
  expect(await read(under)).toMatchObject({ consentKey: { dataKeyId: 'd', wrapped: Buffer.from('key') } });
  expect(await read(beside)).toMatchObject({ consentKey: null });
  await store.database.query({ text: `delete from consent_key where consent_id = 'kept'` });
  expect(await read(under)).toMatchObject({ consentKey: null });
});

test('under a consent that has been withdrawn, or is none, nothing is stored', async () => {
  await addConsent('gone', Buffer.from('key'));
  await store.database.query({ text: `update consent set disabled_revision = 1 where consent_id = 'gone'` });
  for (const consentId of ['gone', 'none']) {
    const record = await mint({ consentId });
    expect(await insert(record)).toBe(false);
    expect(await read(record)).toBeNull();
  }
});

test('sequences rise, and none is given twice', async () => {
  const births = await Promise.all(Array.from({ length: 200 }, () => store.tokens.draw('acme')));
  expect(new Set(births.map((birth) => birth.sequence)).size).toBe(200);
  const { sequence } = await store.tokens.draw('acme');
  expect(sequence).toBeGreaterThan(Math.max(...births.map((birth) => birth.sequence)));
});

test.each([
  ['drawn from another server', { drawnOn: '2026-01-01 00:00:00+00' }],
  ['not drawn yet', { sequence: 1_000_000 }],
])('a token whose sequence was %s is not stored: ceilings would not fit it', async (_, over) => {
  const [here, elsewhere] = [await mint(), await mint(over)];
  expect(await Promise.all([insert(here), insert(elsewhere)])).toEqual([true, false]);
  const tokens = [{ record: elsewhere, event: issuedEvent(elsewhere) }];
  expect(await store.tokens.insertTogether(tokens, null, null)).toBe(false);
  expect(await store.tokens.insertTogether(tokens, null, roomy)).toBe(false);
  expect(await read(elsewhere)).toBeNull();
});

test.each([
  ['before it is stored', -8_100, false],
  ['after it is stored, by a clock that was set back', 60_000, false],
  ['a little before it is stored', -1_000, true],
])('a token whose sequence was drawn long %s is not stored: its user may have been erased', async (_, by, isStored) => {
  const { now } = await store.tokens.draw('acme');
  const [one, other] = [await mint({ issuedAt: now + by }), await mint({ issuedAt: now + by })];
  expect(await insert(one)).toBe(isStored);
  expect(await store.tokens.insertTogether([{ record: other, event: issuedEvent(other) }], null, null)).toBe(isStored);
  for (const record of [one, other]) expect(await read(record)).toEqual(isStored ? asRead(record) : null);
});

test('one bad row among forty gathered ones fails alone', async () => {
  const records = await Promise.all(Array.from({ length: 40 }, () => mint()));
  // No scopes: the database's own constraint refuses what nothing before it let through.
  records[13] = await mint({ scopes: [] });
  const outcomes = await Promise.allSettled(records.map(insert));
  expect(outcomes.map((one) => one.status)).toEqual(records.map((_, i) => (i === 13 ? 'rejected' : 'fulfilled')));
  for (const [i, record] of records.entries()) expect(await read(record)).toEqual(i === 13 ? null : asRead(record));
});

test('a record beyond the partitions that there are fails alone, and is not stored elsewhere', async () => {
  const far = Date.now() + 400 * 86_400_000;
  const late = await mint();
  const beyond = { ...late, expiresAt: far, key: { ...late.key, partition: partitionOf(far) } };
  const outcomes = await Promise.allSettled([insert(await mint()), insert(beyond)]);
  expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected']);
  const tokens = [late, beyond].map((record) => ({ record, event: issuedEvent(record) }));
  await expect(store.tokens.insertTogether(tokens, null, null)).rejects.toThrow(StoreUnavailable);
  expect(await read(late)).toBeNull();
});

test('under a version of the registry that is no longer in force nothing is stored', async () => {
  await store.database.query({
    text: `insert into tenant (tenant_id, entry, mac, registry_version) values ('versioned', '', '', 7)`,
  });
  const [current, stale] = [
    await mint({ tenantId: 'versioned', policyVersion: 7 }),
    await mint({ tenantId: 'versioned', policyVersion: 6 }),
  ];
  expect(await Promise.all([insert(current), insert(stale)])).toEqual([true, false]);
  expect(await read(stale)).toBeNull();
});

test('a read of a partition that does not exist finds nothing, and still tells the history', async () => {
  const known = await mint();
  await insert(known);
  const nowhere = { key: { partition: 60_000, key: 'a'.repeat(32) }, tenantIds: ['acme'] };
  const { records, tail } = await store.records.read([nowhere, wanted(known)], 0);
  expect(records).toEqual([null, asRead(known)]);
  expect(tail.head.revision).toBeGreaterThanOrEqual(0);
});

test('every stored token has one event, and the events of a writer are counted without a gap', async () => {
  const rows = await store.database.query({
    text: `select (select count(*) from token), (select count(*) from outbox),
                  (select bool_and(first = 1 and last = events and distinct_events = events) from (
                     select min(writer_sequence) first, max(writer_sequence) last, count(*) events,
                            count(distinct writer_sequence) distinct_events
                       from outbox group by writer) w)`,
  });
  const [tokens, events, counted] = rows[0] as [number, number, boolean];
  expect(events).toBe(tokens);
  expect(counted).toBe(true);
});

test.each([false, true])(
  'a token that has just been revoked takes no room, however little has been heard of it here (making room: %s)',
  async (makesRoom) => {
    const follower = await store.follow();
    const ended: NewTokenRecord['key'][] = [];
    const room: Room = {
      max: 2,
      isAlive: (record) => !follower.watermarks.revokes(record),
      refresh: () => follower.refresh(),
      end: makesRoom ? async (oldest) => void ended.push(...oldest.map(({ key }) => key)) : null,
    };
    const issue = async () => {
      const record = await mint({ userHandle: `making room: ${makesRoom}` });
      await store.tokens.insertTogether([{ record, event: issuedEvent(record) }], null, room);
      return record;
    };
    const [first, second] = [await issue(), await issue()];
    await revokeOne(store, second);
    await issue();
    expect(ended).toEqual([]);
    if (makesRoom) await issue();
    else await expect(issue()).rejects.toThrow(TooManyTokens);
    expect(ended).toEqual(makesRoom ? [first.key] : []);
  },
);

/** Room for one token; and the keys of those that ended for another one. */
function roomForOne() {
  const ended: NewTokenRecord['key'][] = [];
  const end = async (oldest: readonly TokenRecord[]) => void ended.push(...oldest.map(({ key }) => key));
  const room: Room = { max: 1, isAlive: () => true, refresh: async () => {}, end };
  return { room, ended };
}

test('for a token that may not be stored nobody ends, nor is it refused for want of room; the count of events goes on', async () => {
  await store.database.query({
    text: `insert into tenant (tenant_id, entry, mac, registry_version) values ('roomy', '', '', 7)`,
  });
  const { room, ended } = roomForOne();
  const mintUnder = (policyVersion: number) => mint({ tenantId: 'roomy', policyVersion });
  const insertInto = (over: Partial<Room>, record: NewTokenRecord) =>
    store.tokens.insertTogether([{ record, event: issuedEvent(record) }], null, { ...room, ...over });
  const first = await mintUnder(7);
  expect(await insertInto({}, first)).toBe(true);
  expect(await insertInto({}, await mintUnder(6))).toBe(false);
  expect(await insertInto({ end: null }, await mintUnder(6))).toBe(false);
  expect(ended).toEqual([]);
  expect(await insertInto({}, await mintUnder(7))).toBe(true);
  expect(ended).toEqual([first.key]);
  const text = `select count(distinct writer)::int, count(*)::int from outbox where tenant_id = 'roomy'`;
  expect(await store.database.query({ text })).toEqual([[1, 2]]);
});

test('for a token whose policy is replaced while it waits for room nobody ends, and it is not stored', async () => {
  await store.database.query({
    text: `insert into tenant (tenant_id, entry, mac, registry_version) values ('waiting', '', '', 7)`,
  });
  const { room, ended } = roomForOne();
  const mintOne = () => mint({ tenantId: 'waiting', userHandle: 'waiting', policyVersion: 7 });
  const insertOne = (record: NewTokenRecord) =>
    store.tokens.insertTogether([{ record, event: issuedEvent(record) }], null, room);
  const [first, second] = [await mintOne(), await mintOne()];
  expect(await insertOne(first)).toBe(true);
  const { inserted } = await store.database.transaction(async (query) => {
    const values = [JSON.stringify([second.appId, second.userHandle])];
    await query({ text: 'select pg_advisory_xact_lock(hashtextextended($1, 0))', values });
    const inserting = insertOne(second);
    const waiting = `select pid from pg_locks where locktype = 'advisory' and not granted`;
    await expect.poll(() => store.database.query({ text: waiting })).toHaveLength(1);
    await store.database.query({ text: `update tenant set registry_version = 8 where tenant_id = 'waiting'` });
    return { inserted: inserting };
  });
  expect(await inserted).toBe(false);
  expect(ended).toEqual([]);
  expect(await read(second)).toBeNull();
});

/** The most that wait to be drawn, and to be stored. */
const waitingMax = 20_000;
const roomy: Room = { max: 1_000, isAlive: () => true, refresh: async () => {}, end: null };

test.each([
  ['are stored with others', null],
  ['take room', roomy],
])('tokens that %s wait for one of another tenant at most, however many that one wants', async (userHandle, room) => {
  const many = await Promise.all(Array.from({ length: 50 }, () => mint({ tenantId: 'many', userHandle })));
  const few = await mint({ tenantId: 'few', userHandle });
  const stored: string[] = [];
  const insertTogether = async (record: NewTokenRecord) => {
    expect(await store.tokens.insertTogether([{ record, event: issuedEvent(record) }], null, room)).toBe(true);
    stored.push(record.tenantId);
  };
  await Promise.all([...many, few].map(insertTogether));
  expect(stored.indexOf('few')).toBe(1);
});

test.each([
  ['be drawn', async () => (tenantId: string) => store.tokens.draw(tenantId)],
  [
    'be stored',
    async () => {
      const records = {
        many: await mint({ tenantId: 'many', policyVersion: 6 }),
        few: await mint({ tenantId: 'few' }),
      };
      return (tenantId: 'many' | 'few') => insert(records[tenantId]);
    },
  ],
])('where too many tokens wait to %s, whoever wants many is refused, and nobody else', async (_, prepare) => {
  const ask = await prepare();
  const many = Array.from({ length: waitingMax }, () => ask('many'));
  const outcomes = await Promise.allSettled([...many, ask('few')]);
  expect(outcomes.flatMap(({ status }, at) => (status === 'rejected' ? [at] : []))).toEqual([waitingMax - 1]);
  expect(outcomes[waitingMax - 1]).toMatchObject({ reason: expect.any(Overloaded) });
});

test('a token whose row the database did not keep is not told as issued', async () => {
  const statements = [
    'create function vanish() returns trigger language plpgsql as $$ begin return null; end $$',
    'create trigger vanish before insert on token for each row execute function vanish()',
  ];
  for (const text of statements) await store.database.query({ text });
  await expect(insert(await mint())).rejects.toThrow(StoreUnavailable);
});
