import { expect, test, vi } from 'vitest';
import { Fenced, RevisionUnknown, StoreUnavailable } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import { formatRevision, parseRevision } from '../revisions/revision-text.ts';
import { actOf } from '../test-act.ts';
import { censusIn, chain, History, quiet, replaceSlowly, TestClock } from '../test-history.ts';
import { methods, plainMethod } from '../test-method.ts';
import { TestProofs } from '../test-proofs.ts';
import { record, recordsIn } from '../test-record.ts';
import { handles } from '../test-registry.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { Consistency } from './consistency.ts';
import { consistentRecords } from './consistent-records.ts';
import type { Release, WantedRecord } from './ports.ts';
import { Presence } from './presence.ts';
import { TokenCache } from './token-cache.ts';
import { Uses } from './uses.ts';
import { validateToken, validateTokens } from './validate-token.ts';

const stale = (milliseconds: number): Consistency => ({ kind: 'max_staleness', milliseconds });
const fully: Consistency = { kind: 'fully_consistent' };

/** A validator on a database whose answers can be held back, and a clock that goes when it is told to. */
async function open({ bytesMax = 1_000_000, fence = 5_000, written = 0 } = {}) {
  const [history, clock] = [new History(), new TestClock()];
  for (let i = 1; i <= written; i++) history.write('eve', i);
  const follower = await Follower.start(history, chain, clock, quiet);
  const presence = new Presence(censusIn(history), follower, clock, fence);
  await presence.beat();
  const stored = new Map<string, TokenRecord>();
  const database = { reads: 0, replying: async () => {} };
  const reader = {
    async read(wanted: readonly WantedRecord[], revision: number) {
      database.reads++;
      const records = recordsIn(stored, wanted);
      const tail = await history.readAfter(revision);
      await database.replying();
      return { records, tail };
    },
  };
  const cache = new TokenCache(follower, bytesMax);
  const shown: { release: Release } = {
    release: { claims: ['name'], pairwiseSector: null, holds: null, stalenessMax: Infinity, revision: Infinity },
  };
  const ports = {
    methods,
    follower,
    presence,
    proofs: new TestProofs(),
    cache,
    uses: new Uses(),
    records: consistentRecords(reader, follower, { batchMax: 100, lanes: 2, waitingMax: 100 }),
    releases: { releaseOf: () => shown.release },
    handles,
  };
  let sequence = 0;
  function issue(over: Partial<TokenRecord> = {}, claims = {}) {
    sequence++;
    const key = { partition: 1, key: sequence.toString(16).padStart(32, '0') };
    const draft = record({ key, sequence, expiresAt: 1_000_000, ...over });
    const minted = plainMethod.mint(draft, {
      userId: 'ada',
      claims: { name: 'Ada', ...claims },
      principal: null,
    });
    stored.set(minted.record.key.key, minted.record);
    return { ...minted, revoke: () => history.write('u1', sequence) };
  }
  const commandOf = (token: string, consistency: Consistency) => ({
    token,
    audience: 's1',
    requiredScopes: ['read'],
    request: null,
    proof: null,
    consistency,
  });
  /** Maybe not by a promise. */
  const askAtOnce = (token: string, consistency: Consistency, act = actOf()) =>
    validateToken(act, commandOf(token, consistency), ports);
  const ask = async (...asked: Parameters<typeof askAtOnce>) => askAtOnce(...asked);
  const askAll = (tokens: readonly string[], consistency: Consistency) =>
    validateTokens(
      actOf(),
      tokens.map((token) => commandOf(token, consistency)),
      ports,
    );
  const isActive = async (token: string, consistency: Consistency) => (await ask(token, consistency)).active;
  return {
    ask,
    askAtOnce,
    askAll,
    isActive,
    issue,
    history,
    clock,
    follower,
    database,
    stored,
    cache,
    presence,
    shown,
  };
}

test('what was read once is answered without the database for as long as the proof is young enough', async () => {
  const { ask, issue, clock, database, history } = await open();
  const { token, record } = issue();
  const first = await ask(token, stale(2_000));
  expect(first).toMatchObject({ active: true, told: { tokenId: idOf(record), claims: { name: 'Ada' } } });
  const asked = history.asked;
  clock.pass(2_000);
  expect(await ask(token, stale(2_000))).toEqual(first);
  expect([database.reads, history.asked]).toEqual([1, asked]);
});

test('where nothing older may be told a question is asked, whatever the call allows', async () => {
  const { isActive, issue, clock, database, history, shown } = await open();
  const { token } = issue();
  await isActive(token, stale(60_000));
  shown.release = { ...shown.release, stalenessMax: 1_000 };
  const applied: Consistency = {
    kind: 'at_least_revision',
    revision: parseRevision(formatRevision(history.head)) as never,
  };
  for (const consistency of [stale(60_000), applied]) {
    clock.pass(900);
    const asked = history.asked;
    expect(await isActive(token, consistency)).toBe(true);
    expect(history.asked).toBe(asked);
    clock.pass(101);
    expect(await isActive(token, consistency)).toBe(true);
    expect([database.reads, history.asked]).toEqual([1, asked + 1]);
  }
});

test('what is known is answered at once, also that nobody is answered', async () => {
  const { ask, askAtOnce, issue, presence } = await open();
  const { token } = issue();
  await ask(token, stale(2_000));
  expect(askAtOnce(token, stale(2_000))).toMatchObject({ active: true });
  expect(askAtOnce('tks_rubbish', stale(2_000))).toMatchObject({ active: false, reason: 'malformed' });
  vi.spyOn(presence, 'requireCurrent').mockImplementation(() => {
    throw new Fenced();
  });
  expect(() => askAtOnce(token, stale(2_000))).toThrow(Fenced);
});

test('beyond that one small question is asked, and the record is not read again', async () => {
  const { askAll, issue, clock, database, history } = await open();
  const tokens = [issue().token, issue().token];
  await askAll(tokens, stale(2_000));
  clock.pass(2_001);
  const asked = history.asked;
  expect(await askAll(tokens, stale(2_000))).toMatchObject([{ active: true }, { active: true }]);
  expect([database.reads, history.asked]).toEqual([1, asked + 1]);
});

test('a revocation that returned longer ago than the staleness counts, one that is younger may', async () => {
  const { isActive, issue, clock } = await open();
  const issued = issue();
  expect(await isActive(issued.token, stale(1_000))).toBe(true);
  issued.revoke();
  clock.pass(1_000);
  expect(await isActive(issued.token, stale(1_000))).toBe(true);
  expect(await isActive(issued.token, stale(999))).toBe(false);
  expect(await isActive(issued.token, stale(60_000))).toBe(false);
});

test('what is remembered of a token is known to nobody of another tenant', async () => {
  const { ask, issue } = await open();
  const { token } = issue();
  expect(await ask(token, stale(1_000))).toMatchObject({ active: true });
  const stranger = actOf({ tenantIds: ['t2'], scopes: ['tokens:validate', 'tokens:explain'] });
  expect(await ask(token, stale(1_000), stranger)).toMatchObject({ active: false, reason: 'unknown' });
});

test('a revocation counts for fully consistent answers at once, whatever is remembered', async () => {
  const { isActive, issue } = await open();
  const issued = issue();
  expect(await isActive(issued.token, stale(1_000))).toBe(true);
  issued.revoke();
  expect(await isActive(issued.token, fully)).toBe(false);
});

test('solana-developer-platform PR 1214, MemWal PR 900: a read that began before a revocation and ends after it does not bring the token back', async () => {
  const { ask, isActive, issue, database, follower, history } = await open();
  const issued = issue();
  const reply = Promise.withResolvers<void>();
  database.replying = () => reply.promise;
  const early = ask(issued.token, stale(1_000));
  await new Promise((resolve) => setImmediate(resolve));
  expect(database.reads).toBe(1);
  follower.offer(issued.revoke());
  // Forgotten in the row's copy that is under way, known to the follower.
  expect(history.head).toEqual(follower.applied);
  reply.resolve();
  expect((await early).active).toBe(false);
  expect(await isActive(issued.token, stale(60_000))).toBe(false);
});

test('that there is no such token is never remembered', async () => {
  const { isActive, issue, stored, database } = await open();
  const issued = issue();
  stored.clear();
  expect(await isActive(issued.token, stale(1_000))).toBe(false);
  stored.set(issued.record.key.key, issued.record);
  expect(await isActive(issued.token, stale(1_000))).toBe(true);
  expect(database.reads).toBe(2);
});

test('a refusal for good is remembered', async () => {
  const { isActive, issue, database } = await open();
  const issued = issue();
  issued.revoke();
  for (let i = 0; i < 3; i++) expect(await isActive(issued.token, stale(1_000))).toBe(false);
  expect(database.reads).toBe(1);
});

test('what is remembered ends when the token does, by the clock of the database', async () => {
  const { ask, issue, clock, history } = await open();
  history.now = 900_000;
  const { token } = issue({ expiresAt: 901_000 });
  expect((await ask(token, stale(5_000))).active).toBe(true);
  clock.pass(999);
  expect((await ask(token, stale(5_000))).active).toBe(true);
  clock.pass(1);
  expect(await ask(token, stale(5_000))).toMatchObject({ active: false, reason: 'expired' });
});

test('another audience, other scopes: decided anew each time', async () => {
  const { ask, issue } = await open();
  const { token } = issue({ scopes: ['read'] });
  expect((await ask(token, stale(1_000))).active).toBe(true);
  const other = issue({ audience: 's2' });
  for (let i = 0; i < 2; i++) {
    expect(await ask(other.token, stale(1_000))).toMatchObject({ active: false, reason: 'not_honoured' });
  }
});

test('nothing is answered from memory beyond the fence, nor when the machine was suspended', async () => {
  const { ask, issue, clock, presence } = await open();
  const { token } = issue();
  await ask(token, stale(60_000));
  clock.pass(5_001);
  await expect(ask(token, stale(60_000))).rejects.toThrow(Fenced);
  await presence.beat();
  expect((await ask(token, stale(60_000))).active).toBe(true);
  clock.time.wall += 5_001;
  await expect(ask(token, stale(60_000))).rejects.toThrow(Fenced);
});

test('a fence that runs out while the small question is asked takes the answer back', async () => {
  const { ask, issue, clock, history } = await open();
  const { token } = issue();
  await ask(token, stale(2_000));
  clock.pass(4_000);
  history.answering = () => clock.pass(1_001);
  await expect(ask(token, stale(2_000))).rejects.toThrow(Fenced);
});

test('what is remembered is told no sooner than the rest of its batch, and so not once the fence has run out', async () => {
  const { ask, askAll, issue, clock, database } = await open();
  const [remembered, unread] = [issue().token, issue().token];
  await ask(remembered, stale(60_000));
  database.replying = async () => clock.pass(5_001);
  await expect(askAll([remembered, unread], stale(60_000))).rejects.toThrow(Fenced);
});

test('nor once it has been revoked, as far as that is known then', async () => {
  const { ask, askAll, issue, database, follower } = await open();
  const [remembered, unread] = [issue(), issue({ userHandle: 'u2' })];
  await ask(remembered.token, stale(60_000));
  database.replying = async () => follower.offer(remembered.revoke());
  const outcomes = await askAll([remembered.token, unread.token], stale(60_000));
  expect(outcomes).toMatchObject([{ active: false }, { active: true }]);
});

test('with the database away it is answered for as long as the proof lasts, and then not at all', async () => {
  const { ask, issue, clock, history } = await open();
  const { token } = issue();
  await ask(token, stale(2_000));
  history.away = true;
  clock.pass(2_000);
  expect((await ask(token, stale(2_000))).active).toBe(true);
  clock.pass(1);
  await expect(ask(token, stale(2_000))).rejects.toThrow(StoreUnavailable);
});

test('the proof counts from the sending of the question', async () => {
  const { isActive, issue, clock, database, history } = await open();
  const issued = issue();
  database.replying = async () => clock.pass(1_000);
  expect(await isActive(issued.token, stale(500))).toBe(true);
  const asked = history.asked;
  expect(await isActive(issued.token, stale(1_000))).toBe(true);
  expect(history.asked).toBe(asked);
  expect(await isActive(issued.token, stale(999))).toBe(true);
  expect(history.asked).toBe(asked + 1);
});

test('at least a revision: answered from memory once that has been applied, whatever its age', async () => {
  const { ask, isActive, issue, clock, history, database } = await open();
  const issued = issue();
  const other = issue();
  const before = await ask(other.token, stale(1_000));
  await ask(issued.token, stale(1_000));
  const atLeast = (revision: string) =>
    ({ kind: 'at_least_revision', revision: parseRevision(revision) ?? expect.fail('no revision') }) as const;
  issued.revoke();
  clock.pass(4_000);
  expect(await isActive(issued.token, atLeast(formatRevision(before.head)))).toBe(true);
  expect(await isActive(issued.token, atLeast(formatRevision(history.head)))).toBe(false);
  expect(database.reads).toBe(2);
});

test('a revision of another history, and one that is not there yet, are refused, in a batch by themselves', async () => {
  const { ask, askAll, issue, history } = await open();
  const { token } = issue();
  for (let i = 1; i <= 3; i++) history.write('eve', i);
  const revisionNamed = (revision: number, hashStart: string) =>
    ({ kind: 'at_least_revision', revision: { revision, hashStart } }) as const;
  const hashStart = history.head.hash.slice(0, 14);
  expect((await ask(token, revisionNamed(3, hashStart))).active).toBe(true);
  for (const [revision, start] of [
    [3, '0'.repeat(14)],
    [2, hashStart],
    [4, hashStart],
    [0, hashStart],
  ] as const) {
    await expect(ask(token, revisionNamed(revision, start)), `${revision}`).rejects.toThrow(RevisionUnknown);
  }
  expect((await ask(token, revisionNamed(0, '0'.repeat(14)))).active).toBe(true);
  expect(await askAll([token, 'tks_x'], revisionNamed(4, hashStart))).toEqual([
    expect.any(RevisionUnknown),
    expect.any(RevisionUnknown),
  ]);
});

const reaching = ({ revision, hash }: Head): Consistency => ({
  kind: 'at_least_revision',
  revision: { revision, hashStart: hash.slice(0, 14) },
});

test('while another history is loaded nothing is answered by the former one, however old an answer may be', async () => {
  const { ask, issue, history, follower } = await open();
  const [{ token }, head] = [issue(), history.write('eve', 1)];
  await ask(token, stale(60_000));
  expect(await ask(token, reaching(head))).toMatchObject({ active: true });
  const come = await replaceSlowly(history, follower);
  const outcomes = Promise.allSettled([ask(token, reaching(head)), ask(token, stale(60_000))]);
  come();
  expect(await outcomes).toMatchObject([
    { status: 'rejected', reason: expect.any(RevisionUnknown) },
    { status: 'fulfilled', value: { head: history.head } },
  ]);
});

test('nor where that begins once the database has said that a revision is of the former one', async () => {
  const { ask, issue, history, follower } = await open({ written: 9 });
  const { token } = issue();
  await ask(token, stale(60_000));
  vi.spyOn(history, 'hashesOf').mockImplementationOnce(async (revisions, after) => {
    setImmediate(() => replaceSlowly(history, follower).then((come) => come()));
    return history.hashesOf(revisions, after);
  });
  await expect(ask(token, reaching(history.revisions[0] as Head))).rejects.toThrow(RevisionUnknown);
});

test('a revision from before the start is looked up in the database', async () => {
  const { history } = await open();
  const old = history.write('eve', 1);
  for (let i = 2; i <= 9; i++) history.write('eve', i);
  const late = await Follower.start(history, chain, new TestClock(), quiet);
  expect(late.hasReached({ revision: 1, hashStart: old.hash.slice(0, 14) })).toBe(null);
  expect(await late.reaches({ revision: 1, hashStart: old.hash.slice(0, 14) })).toBe(true);
  expect(await late.reaches({ revision: 1, hashStart: '0'.repeat(14) })).toBe(false);
});

test('what was remembered of another history is forgotten: a token that was never issued in this one is not honoured', async () => {
  const { isActive, issue, history, stored, follower, database } = await open();
  const issued = issue();
  expect(await isActive(issued.token, stale(60_000))).toBe(true);
  stored.clear();
  history.server = 'restored';
  await follower.refresh();
  expect(await isActive(issued.token, stale(60_000))).toBe(false);
  expect(database.reads).toBe(2);
});

test('a record read from one history is not remembered in the next', async () => {
  const { ask, isActive, issue, history, stored, follower, database } = await open();
  const issued = issue();
  const reply = Promise.withResolvers<void>();
  database.replying = () => reply.promise;
  const early = ask(issued.token, stale(1_000)).catch(() => null);
  await new Promise((resolve) => setImmediate(resolve));
  history.server = 'restored';
  stored.clear();
  await follower.refresh();
  reply.resolve();
  await early;
  expect(await isActive(issued.token, stale(60_000))).toBe(false);
});

test('a record whose history was replaced before it could be remembered is not remembered', async () => {
  const { issue, history, follower, cache } = await open();
  const { token, record } = issue();
  const opened = { userId: null, claims: {}, principal: null, scopes: ['read'], expiresAt: 1_000, requests: [] };
  const { generation } = follower;
  cache.set(token, record, opened, generation);
  expect(cache.get(token)).toBeDefined();
  await follower.refresh();
  history.server = 'restored';
  await follower.refresh();
  expect(follower.generation).toBeGreaterThan(generation);
  cache.set(token, record, opened, generation);
  expect(cache.get(token)).toBeUndefined();
});

test('of a token that is remembered, a claim is told for as long as it is released', async () => {
  const { ask, issue, database, shown } = await open();
  const { token } = issue();
  for (const [names, claims] of [
    [['name'], { name: 'Ada' }],
    [[], {}],
    [['name'], { name: 'Ada' }],
  ] as const) {
    shown.release = { ...shown.release, claims: names };
    expect(await ask(token, stale(5_000))).toMatchObject({ active: true, told: { claims } });
    expect(await ask(token, stale(5_000))).toHaveProperty('told.claims', claims);
  }
  expect(database.reads).toBe(1);
});

test('it remembers no more than fits, and of that what was used last', async () => {
  const { ask, issue, database, cache } = await open({ bytesMax: 100_000 });
  const tokens = Array.from({ length: 60 }, () => issue({}, { note: 'x'.repeat(500) }).token);
  for (const token of tokens) {
    await ask(token, stale(5_000));
    await ask(tokens[0] as string, stale(5_000));
  }
  expect(cache.bytes).toBeLessThanOrEqual(100_000);
  expect(cache.size).toBeLessThan(60);
  const reads = database.reads;
  await ask(tokens[0] as string, stale(5_000));
  await ask(tokens.at(-1) as string, stale(5_000));
  expect(database.reads).toBe(reads);
  await ask(tokens[1] as string, stale(5_000));
  expect(database.reads).toBe(reads + 1);
});
