import { randomBytes } from 'node:crypto';
import { makeLogins } from '@touchstone/local-stack';
import { type Database, openDatabase, proofTaker, upkeep } from '@touchstone/store-postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { type DatabaseClock, openDatabaseClock } from '../harness/database-clock.ts';

const window = 60_000;
const cleanup = new AsyncDisposableStack();
let store: TestDatabase;
let clock: DatabaseClock;
let as: Readonly<Record<'validator' | 'issuer' | 'upkeep', Database>>;

beforeAll(async () => {
  store = cleanup.use(await openTestDatabase());
  clock = await openDatabaseClock(store.postgres.adminUrl);
  const urls = await makeLogins(store.postgres.adminUrl);
  const open = (role: 'validator' | 'issuer' | 'upkeep') =>
    cleanup.use(openDatabase({ url: urls[role], applicationName: role, connectionsMax: 4 }));
  as = { issuer: open('issuer'), validator: open('validator'), upkeep: open('upkeep') };
});
afterAll(() => cleanup[Symbol.asyncDispose]());
beforeEach(async () => {
  await store.database.query({ text: 'delete from dpop_proof' });
  await store.database.query({ text: `update proof_spent set until = '-infinity'` });
});

const count = async () => Number((await store.database.query({ text: 'select count(*) from dpop_proof' }))[0]?.[0]);
const databaseNow = async () =>
  (await store.database.query({ text: 'select (extract(epoch from now()) * 1000)::bigint' }))[0]?.[0] as number;
const newProof = (issuedAt = Date.now()) => ({ hash: randomBytes(32).toString('hex'), issuedAt });

test('a proof is taken by one alone, whoever asks, and however many at once', async () => {
  const [first, second, issuer] = [proofTaker(as.validator), proofTaker(as.validator), proofTaker(as.issuer)];
  const proofs = Array.from({ length: 50 }, () => newProof());
  const takes = [...proofs, ...proofs.toReversed()].flatMap((proof) => [
    first.take(proof).then((taken) => [proof, taken] as const),
    second.take(proof).then((taken) => [proof, taken] as const),
    issuer.take(proof).then((taken) => [proof, taken] as const),
  ]);
  const taken = (await Promise.all(takes)).filter(([, isTaken]) => isTaken).map(([proof]) => proof);
  expect(taken).toHaveLength(proofs.length);
  expect(new Set(taken)).toEqual(new Set(proofs));
  for (const proof of proofs.slice(0, 3)) expect(await second.take(proof)).toBe(false);
});

test("it is taken while it is fresh by the database's clock, and not before or after", async () => {
  const { take } = proofTaker(as.validator);
  const now = await databaseNow();
  for (const [issuedAt, isFresh] of [
    [now - window + 10_000, true],
    [now + window, true],
    [now - window - 1, false],
    [now + window + 10_000, false],
    [0, false],
    [99_999_999_999_000, false],
  ] as const) {
    expect(await take(newProof(issuedAt)), `${issuedAt - now}`).toBe(isFresh);
  }
  expect(await count()).toBe(2);
});

test('upkeep deletes what would not be fresh any more, any number of replicas at once', async () => {
  const { take } = proofTaker(as.validator);
  const proof = newProof();
  expect(await take(proof)).toBe(true);
  await store.database.query({
    text: `insert into dpop_proof select sha256(n::text::bytea), now() - interval '61 seconds' from generate_series(1, 25000) n`,
  });
  await Promise.all([upkeep(as.upkeep), upkeep(as.upkeep)]);
  expect(await count()).toBe(1);
  expect(await take(proof)).toBe(false);
});

test("what only one of the clocks takes for spent is kept: the database's may be set back again", async () => {
  const { take } = proofTaker(as.validator);
  const proof = newProof();
  expect(await take(proof)).toBe(true);
  await clock.set(3_600_000);
  await upkeep(as.upkeep);
  await clock.set(0);
  expect(await take(proof)).toBe(false);
  await upkeep(as.upkeep, Date.now() + 3_600_000);
  expect(await take(proof)).toBe(false);
});

test("what has been deleted is not taken again once the database's clock is set back, and what is younger is", async () => {
  const hour = 3_600_000;
  const { take } = proofTaker(as.validator);
  const proof = newProof(Date.now() - hour);
  await clock.set(-hour);
  expect(await take(proof)).toBe(true);
  await clock.set(0);
  await upkeep(as.upkeep);
  expect([await count(), await take(proof)]).toEqual([0, false]);
  await clock.set(-hour);
  expect(await take(proof)).toBe(false);
  await upkeep(as.upkeep);
  expect(await take(proof)).toBe(false);
  expect(await take(newProof(proof.issuedAt + 1))).toBe(true);
});
