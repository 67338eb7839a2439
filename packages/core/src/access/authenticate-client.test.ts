import { expect, test } from 'vitest';
import { CallerUnknown, StoreUnavailable } from '../errors.ts';
import type { App, CallerIdentity, Registered } from '../register/registration.ts';
import { Follower } from '../revisions/follower.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { registration } from '../test-registry.ts';
import type { Caller } from './act.ts';
import {
  type ClaimedAssertion,
  type ClientEntry,
  clientAuthenticator,
  type ShownCertificate,
  type TakenAssertion,
} from './authenticate-client.ts';

const scopes = ['tokens:issue:self'];
const key: CallerIdentity = { jwk: '{"kid":"k1"}', scopes };
const certificate: CallerIdentity = { certificate: 'c1', scopes };
const spiffe: CallerIdentity = { spiffeId: 'spiffe://acme/orders', scopes };
const shown: ShownCertificate = { sha256: 'c1', spiffeId: null, expiresAt: 1_000_000 };
const named = { client: 'app:a1', certificate: shown };
const caller = (credentialId: string) => ({
  kind: 'app',
  name: 'a1',
  tenantIds: ['t1'],
  scopes,
  credentialId,
  credentialExpiresAt: Number.POSITIVE_INFINITY,
});

async function open() {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await Follower.start(history, chain, clock, quiet);
  await follower.refresh();
  const entries = new Map<string, ClientEntry>();
  const register = (identities: readonly CallerIdentity[], disabled = false) => {
    const entry: App = { ...(registration.app as App), identities };
    entries.set('app a1', { registered: { what: 'app', entry } as Registered, disabled });
  };
  register([key, certificate, spiffe]);
  const database = { reads: 0, taken: new Map<string, TakenAssertion>(), answering: async () => {} };
  const signed = new Set(['{"kid":"k1"}', '{"kid":"k2"}']);
  const { byCertificate, byAssertion } = clientAuthenticator({
    follower,
    clock,
    clients: {
      async read(clients, revision) {
        database.reads++;
        if (history.away) throw new StoreUnavailable();
        const read = clients.map(({ what, id }) => entries.get(`${what} ${id}`) ?? null);
        const tail = await history.readAfter(revision);
        await database.answering();
        return { entries: read, tail };
      },
    },
    assertions: {
      read: (jwt) => JSON.parse(jwt),
      isSignedBy: async (_, jwk) => signed.has(jwk),
      async take(assertion) {
        const isFirst = !database.taken.has(assertion.hash);
        database.taken.set(assertion.hash, assertion);
        return isFirst;
      },
    },
  });
  const assertion = (over: Partial<ClaimedAssertion> = {}) =>
    JSON.stringify({ client: 'app:a1', keyId: 'k1', jti: 'j1', beginsAt: 0, expiresAt: 60_000, ...over });
  return {
    // Whether it answers at once or by a promise is a matter of what it remembers.
    show: async (over: Partial<ShownCertificate> = {}, client = 'app:a1', isLasting = false) =>
      byCertificate({ client, certificate: { ...shown, ...over } }, isLasting),
    assert: async (over?: Partial<ClaimedAssertion>, admitted?: Caller, isLasting = false) =>
      byAssertion(assertion(over), admitted, isLasting),
    byCertificate,
    register,
    signed,
    history,
    clock,
    follower,
    database,
    entries,
  };
}

test('a client is who its certificate, its SPIFFE id or its assertion shows, with the scopes of that identity', async () => {
  const { show, assert } = await open();
  expect(await show()).toEqual(caller('certificate:c1'));
  expect(await show({ sha256: 'c2', spiffeId: 'spiffe://acme/orders' })).toEqual(caller('spiffe://acme/orders'));
  expect(await assert()).toEqual(caller('key:k1'));
});

test.each<[string, (opened: Awaited<ReturnType<typeof open>>) => Promise<unknown>]>([
  ['another certificate', ({ show }) => show({ sha256: 'c2' })],
  ['another SPIFFE id', ({ show }) => show({ sha256: 'c2', spiffeId: 'spiffe://acme/other' })],
  ['a certificate that has expired', ({ show }) => show({ expiresAt: 0 })],
  ['a certificate of which nobody knows when it expires', ({ show }) => show({ expiresAt: Number.NaN })],
  ['a name that nobody has', ({ show }) => show({}, 'app:a2')],
  ['a name that is none', ({ show }) => show({}, 'a1')],
  ['a key that is not registered', ({ assert }) => assert({ keyId: 'k2' })],
  ['an assertion that has expired', ({ assert }) => assert({ expiresAt: 0 })],
  ['an assertion that lives too long', ({ assert }) => assert({ expiresAt: 300_001 })],
  ['an assertion that begins in the future', ({ assert }) => assert({ beginsAt: 30_001 })],
  [
    'an assertion that the key did not sign',
    ({ assert, signed }) => {
      signed.clear();
      return assert();
    },
  ],
])('%s shows nobody, and nothing is taken', async (_, call) => {
  const opened = await open();
  await expect(call(opened)).rejects.toThrow(CallerUnknown);
  expect(opened.database.taken.size).toBe(0);
});

test('an assertion is taken once, for as long as it lives, and not again for the call that took it', async () => {
  const { assert, database } = await open();
  const admitted = await assert({ expiresAt: 200_000 });
  await expect(assert({ expiresAt: 200_000 })).rejects.toThrow(CallerUnknown);
  expect([...database.taken.values()]).toMatchObject([{ from: -30_000, until: 199_999 }]);
  expect(await assert({ expiresAt: 200_000 }, admitted)).toEqual(admitted);
  expect(await assert({ jti: 'j2' })).toMatchObject({ name: 'a1' });
});

test('the call that took an assertion is known by it for as long as that lives', async () => {
  const { assert, clock } = await open();
  const admitted = await assert({ expiresAt: 200_000 });
  clock.pass(199_999);
  expect(await assert({ expiresAt: 200_000 }, admitted)).toEqual(admitted);
  clock.pass(200_000);
  await expect(assert({ expiresAt: 200_000 }, admitted)).rejects.toThrow(CallerUnknown);
});

test('what is registered is asked for once a second, however many call, and always the same object calls', async () => {
  const { byCertificate, show, clock, database } = await open();
  const [first, ...others] = await Promise.all(Array.from({ length: 100 }, () => show()));
  expect(database.reads).toBe(1);
  for (const other of others) expect(other).toBe(first);
  clock.pass(1_000);
  expect(byCertificate(named, false)).toBe(first);
  clock.pass(1);
  await show();
  expect(database.reads).toBe(2);
});

test('an identity that has been removed is known no more a second after it was asked for, and the others go on', async () => {
  const { show, assert, register, clock, database, follower } = await open();
  // The answer comes late: the second is from the question on.
  database.answering = async () => clock.pass(600);
  await show();
  database.answering = async () => {};
  register([key]);
  clock.pass(400);
  expect(await show()).toEqual(caller('certificate:c1'));
  clock.pass(1);
  // Others may have asked about revisions meanwhile, which such a change is not.
  await follower.refresh();
  await expect(show()).rejects.toThrow(CallerUnknown);
  expect(await assert()).toEqual(caller('key:k1'));
});

test('for what would outlast it, a client is asked for anew', async () => {
  const { show, assert, register } = await open();
  const admitted = await assert();
  expect(await show({}, 'app:a1', true)).toEqual(caller('certificate:c1'));
  register([spiffe]);
  expect(await show()).toEqual(caller('certificate:c1'));
  await expect(show({}, 'app:a1', true)).rejects.toThrow(CallerUnknown);
  register([key]);
  expect(await assert({}, admitted, true)).toEqual(admitted);
  register([]);
  await expect(assert({}, admitted, true)).rejects.toThrow(CallerUnknown);
});

test.each([
  ['it', 'app', 'a1'],
  ['its tenant', 'tenant', 't1'],
] as const)('once %s is disabled a client is refused, whatever the database says', async (_, kind, target) => {
  const { show, assert, history, follower, register } = await open();
  await show();
  register([key, certificate], false);
  follower.offer(history.write(target, 1, { kind, ceiling: null }));
  await expect(show()).rejects.toThrow(CallerUnknown);
  await expect(assert()).rejects.toThrow(CallerUnknown);
});

test('what the database says is disabled is refused', async () => {
  const { show, register } = await open();
  register([certificate], true);
  await expect(show()).rejects.toThrow(CallerUnknown);
});

test('while the database is away nobody is honoured on what is older than a second', async () => {
  const { show, history, clock } = await open();
  await show();
  history.away = true;
  clock.pass(1_000);
  expect(await show()).toMatchObject({ name: 'a1' });
  clock.pass(1);
  await expect(show()).rejects.toThrow(StoreUnavailable);
});

test('another server is believed nothing that is remembered from before', async () => {
  const { show, register, history, follower } = await open();
  await show();
  register([]);
  expect(await show()).toMatchObject({ name: 'a1' });
  history.server = 'second';
  await follower.refresh();
  await expect(show()).rejects.toThrow(CallerUnknown);
});

test('an identity service is found in its tenant, by its name', async () => {
  const { show, entries } = await open();
  const entry = { ...registration.tenant, identityServices: [{ name: 'login', identities: [certificate] }] };
  entries.set('tenant t1', { registered: { what: 'tenant', entry } as Registered, disabled: false });
  expect(await show({}, 'identity_service:t1/login')).toMatchObject({
    kind: 'identity_service',
    name: 'login',
    tenantIds: ['t1'],
  });
  await expect(show({}, 'identity_service:t1/other')).rejects.toThrow(CallerUnknown);
});

test('who is not known is not remembered', async () => {
  const { show, database, entries } = await open();
  const entry = entries.get('app a1') as ClientEntry;
  entries.clear();
  for (let i = 0; i < 3; i++) await expect(show()).rejects.toThrow(CallerUnknown);
  expect(database.reads).toBe(3);
  entries.set('app a1', entry);
  await show();
});
