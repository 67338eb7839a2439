import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { CallerUnknown, Fenced, StoreUnavailable } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { methods, plainMethod } from '../test-method.ts';
import { record, recordsIn } from '../test-record.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { Principal } from './act.ts';
import { authenticator } from './authenticate.ts';
import type { ClientAuthenticator } from './authenticate-client.ts';
import { touchstoneAudience } from './rights.ts';

const principal: Principal = { kind: 'operator', name: 'ops', tenantIds: ['t1'] };
const expiresAt = 1_000_000;
const draft = record({
  tokenClass: 'credential',
  audience: touchstoneAudience,
  scopes: ['tokens:revoke'],
  expiresAt,
});
const mint = (over: Partial<TokenRecord> = {}, who: Principal | null = principal) =>
  plainMethod.mint({ ...draft, ...over }, { userId: null, claims: {}, principal: who });

/** What shows no credential is for the tests of authenticate-client.ts. */
const noClients = {} as ClientAuthenticator;

async function open() {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await Follower.start(history, chain, clock, quiet);
  await follower.refresh();
  history.asked = 0;
  const stored = new Map<string, TokenRecord>();
  const database = { reads: 0, isCutOff: false, answering: async () => {} };
  const authenticateNow = authenticator({
    methods,
    follower,
    clients: noClients,
    presence: {
      requireCurrent() {
        if (database.isCutOff) throw new Fenced();
      },
    },
    async records(wanted) {
      database.reads++;
      if (history.away) throw new StoreUnavailable();
      const { watermarks, generation } = follower;
      const records = recordsIn(stored, wanted);
      const asRead = { records, now: history.now, head: history.head, watermarks, generation };
      await database.answering();
      return asRead;
    },
  });
  const keep = (minted: ReturnType<typeof mint>) => {
    stored.set(minted.record.key.key, minted.record);
    return minted.token;
  };
  const forget = (minted: ReturnType<typeof mint>) => stored.delete(minted.record.key.key);
  // Whether it answers at once or by a promise is a matter of what it remembers.
  const authenticate = async (credential: string, isLasting = false) =>
    authenticateNow(credential, undefined, isLasting);
  return { authenticate, keep, forget, history, clock, follower, database };
}

test("a caller is who its credential says, with the credential's scopes", async () => {
  const { authenticate, keep } = await open();
  const minted = mint();
  const credential = keep(minted);
  for (const time of ['first', 'again']) {
    expect(await authenticate(credential), time).toEqual({
      ...principal,
      scopes: ['tokens:revoke'],
      credentialId: idOf(minted.record),
      credentialExpiresAt: expiresAt,
    });
  }
});

test('while this replica can not commit nobody is known, be the credential remembered or not', async () => {
  const { authenticate, keep, database } = await open();
  const [known, other] = [keep(mint()), keep(mint())];
  await authenticate(known);
  database.isCutOff = true;
  for (const credential of [known, other]) await expect(authenticate(credential)).rejects.toThrow(Fenced);
  database.isCutOff = false;
  await authenticate(other);
});

test.each([
  ['that is no token', () => ({ ...mint(), token: 'rubbish' })],
  ['that has no record', () => ({ ...mint(), token: `tks_p${'f'.repeat(32)}` })],
  ['that is a token of an app', () => mint({ tokenClass: 'token' })],
  ['for another audience', () => mint({ audience: 's1' })],
  ['that is for nobody', () => mint({}, null)],
  ['that has ended', () => mint({ expiresAt: 0 })],
])('one %s is no credential', async (_, make) => {
  const { authenticate, keep } = await open();
  await expect(authenticate(keep(make()))).rejects.toThrow(CallerUnknown);
});

test('it is judged on what was true at most a second ago, without a question until then', async () => {
  const { authenticate, keep, history, clock, database } = await open();
  const credential = keep(mint());
  await authenticate(credential);
  history.write('u1', 1, { tokenClass: 'credential' });
  clock.pass(1_000);
  expect(await authenticate(credential)).toMatchObject(principal);
  expect([history.asked, database.reads]).toEqual([0, 1]);
  clock.pass(1);
  await expect(authenticate(credential)).rejects.toThrow(CallerUnknown);
  expect(history.asked).toBe(1);
});

test('for what would outlast it, it is judged by all that was revoked before', async () => {
  const { authenticate, keep, history } = await open();
  const credential = keep(mint());
  await authenticate(credential);
  expect(await authenticate(credential, true)).toMatchObject(principal);
  expect(history.asked).toBe(1);
  history.write('u1', 1, { tokenClass: 'credential' });
  await expect(authenticate(credential, true)).rejects.toThrow(CallerUnknown);
});

test('what was sealed of a credential is not remembered with it', async () => {
  const { authenticate, keep, forget, database } = await open();
  const known = await (async () => {
    const minted = mint();
    const token = keep(minted);
    await authenticate(token);
    forget(minted);
    return { token, sealed: new WeakRef(minted.record.sealed) };
  })();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await vi.waitUntil(() => {
    collect();
    return known.sealed.deref() === undefined;
  });
  expect(await authenticate(known.token)).toMatchObject(principal);
  expect(database.reads).toBe(1);
});

test('a suspended machine asks first, though its monotonic clock stood still', async () => {
  const { authenticate, keep, history, clock } = await open();
  const credential = keep(mint());
  await authenticate(credential);
  clock.time.wall += 1_001;
  await authenticate(credential);
  expect(history.asked).toBe(1);
});

test('a revocation that is known counts at once', async () => {
  const { authenticate, keep, history, follower } = await open();
  const credential = keep(mint());
  await authenticate(credential);
  follower.offer(history.write('u1', 1, { tokenClass: 'credential' }));
  await expect(authenticate(credential)).rejects.toThrow(CallerUnknown);
});

test('one that ends is refused from that millisecond on, though it is remembered', async () => {
  const { authenticate, keep, clock, history } = await open();
  const credential = keep(mint({ expiresAt: 500 }));
  await authenticate(credential);
  clock.pass(499);
  await authenticate(credential);
  clock.pass(1);
  await expect(authenticate(credential)).rejects.toThrow(CallerUnknown);
  expect(history.asked).toBe(0);
});

test('while the database is away nobody is honoured on what is older than a second, and nobody is refused', async () => {
  const { authenticate, keep, history, clock } = await open();
  const [known, other] = [keep(mint()), keep(mint())];
  await authenticate(known);
  history.away = true;
  clock.pass(1_000);
  expect(await authenticate(known)).toMatchObject(principal);
  await expect(authenticate(other)).rejects.toThrow(StoreUnavailable);
  clock.pass(1);
  await expect(authenticate(known)).rejects.toThrow(StoreUnavailable);
  history.away = false;
  expect(await authenticate(known)).toMatchObject(principal);
});

test('what a server answered before it was another one is asked of that one anew', async () => {
  const { authenticate, keep, forget, history, follower, database } = await open();
  const minted = mint();
  const credential = keep(minted);
  database.answering = async () => {
    database.answering = async () => {};
    forget(minted);
    history.server = 'second';
    await follower.refresh();
  };
  await expect(authenticate(credential)).rejects.toThrow(CallerUnknown);
  expect(database.reads).toBe(2);
});

test('another server is believed nothing that is remembered from before', async () => {
  const { authenticate, keep, forget, history, follower } = await open();
  const minted = mint();
  const credential = keep(minted);
  await authenticate(credential);
  // Made in a time that a restored database does not know.
  forget(minted);
  expect(await authenticate(credential)).toMatchObject(principal);
  history.server = 'second';
  await follower.refresh();
  await expect(authenticate(credential)).rejects.toThrow(CallerUnknown);
});

test('twenty thousand are remembered, those that were used last', async () => {
  const { authenticate, keep, database } = await open();
  const credentials = Array.from({ length: 20_001 }, () => keep(mint()));
  const [first, second] = credentials as [string, string];
  for (const credential of credentials.slice(0, -1)) await authenticate(credential);
  await authenticate(first);
  expect(database.reads).toBe(20_000);
  await authenticate(credentials.at(-1) as string);
  await authenticate(first);
  expect(database.reads).toBe(20_001);
  await authenticate(second);
  expect(database.reads).toBe(20_002);
});

test('what is refused is not remembered', async () => {
  const { authenticate, keep, database } = await open();
  const refused = keep(mint({}, null));
  for (let i = 0; i < 3; i++) await expect(authenticate(refused)).rejects.toThrow(CallerUnknown);
  expect(database.reads).toBe(3);
});
