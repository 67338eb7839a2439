import { create } from '@bufbuild/protobuf';
import { OnExcess, RefreshPolicySchema, RefusalReason, TokenMethod } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { type Clients, clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { trailOf } from './support-audit.ts';
import { failureOf } from './support-outcome.ts';

const stack = inject('stack');
const month = { seconds: 2_592_000n };

/** An app that may renew its tokens, and its client. */
interface Renewer {
  readonly appId: string;
  readonly clients: Clients;
}

let world: World;
let app: Renewer;
/** With some seconds of grace. */
let patient: Renewer;
beforeAll(async () => {
  world = await openWorld(stack);
  app = await addApp({ ttlMax: month });
  patient = await addApp({ ttlMax: month, grace: { seconds: 30n } });
});

async function addApp(refresh: Record<string, unknown>, own = world): Promise<Renewer> {
  const methods = [TokenMethod.REFERENCE, TokenMethod.SIGNED];
  const appId = await own.addApp({ refresh, methods });
  const principal = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 3_600n };
  const issued = await own.operator.registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl });
  return { appId, clients: clientsOf(stack, issued.credential) };
}

const issue = (by = app, over: Record<string, unknown> = {}) =>
  world.issue({ appId: by.appId, scopes, refreshable: true, ...over });
const refresh = (refreshToken: string, over: Record<string, unknown> = {}, by = app) =>
  by.clients.issuer.refreshToken({ refreshToken, ...over });
const isActive = async (token: string) => (await world.validate(token)).active;
const revoke = (token: string) =>
  world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'test' });

test('a token is renewed again and again, each time with a new refresh token, for the same user and claims', async () => {
  let { token, refreshToken, refreshExpiresAt } = await issue();
  const strings = new Set([token, refreshToken]);
  for (let turn = 0; turn < 3; turn++) {
    const renewed = await refresh(refreshToken);
    ({ token, refreshToken } = renewed);
    strings.add(token).add(refreshToken);
    expect(renewed.scopes).toEqual(scopes);
    expect(await world.validate(token)).toMatchObject({
      active: true,
      subject: 'ada',
      claims: { name: 'Ada', email: 'ada@example.org' },
    });
    expect(Number(renewed.refreshExpiresAt?.seconds)).toBeGreaterThanOrEqual(Number(refreshExpiresAt?.seconds));
    refreshExpiresAt = renewed.refreshExpiresAt;
  }
  expect(strings.size).toBe(8);
});

test('it may be narrower than the first, not wider, and the next one may be as wide again', async () => {
  const { refreshToken } = await issue(app, { scopes: ['orders:read'] });
  expect(await failureOf(refresh(refreshToken, { scopes: ['orders:write'] }))).toMatchObject({
    reason: 'SCOPE_NOT_ALLOWED',
  });
  const both = await issue();
  const narrow = await refresh(both.refreshToken, { scopes: ['orders:read'] });
  expect(narrow.scopes).toEqual(['orders:read']);
  expect((await refresh(narrow.refreshToken)).scopes).toEqual(scopes);
});

describe('where less is had by now', () => {
  test('a renewal is refused, or cut down and told by whom; afterwards all is had again', async () => {
    const own = await openWorld(stack);
    const renewer = await addApp({ ttlMax: month }, own);
    const { refreshToken } = await own.issue({ appId: renewer.appId, scopes, refreshable: true });
    const { tenantId, operator } = own;
    const short = { ruleId: 'short', scopes: { names: ['orders:read'] }, tokenTtlMax: { seconds: 60n } };
    await operator.registry.updatePolicy({ policy: { tenantId, rules: [short] } });
    const asked = { ttl: { seconds: 61n } };
    expect(await failureOf(refresh(refreshToken, asked, renewer))).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
    const cut = await refresh(refreshToken, { ...asked, onExcess: OnExcess.CUT_DOWN }, renewer);
    expect(cut).toMatchObject({
      scopes: ['orders:read'],
      excess: [
        { field: 'scopes', asked: 'orders:write', limitedBy: 'rule short' },
        { field: 'ttl', asked: '61', allowed: '60', limitedBy: 'rule short' },
      ],
    });
    await operator.registry.rollbackPolicy({ tenantId, toVersion: 0, version: 1 });
    expect(await refresh(cut.refreshToken, {}, renewer)).toMatchObject({ scopes, excess: [] });
  });

  test('what the first token did not allow is left out, too; where nothing is left, all is refused', async () => {
    const { refreshToken } = await issue(app, { scopes: ['orders:read'] });
    const onExcess = OnExcess.CUT_DOWN;
    const beyond = refresh(refreshToken, { scopes: ['orders:write'], onExcess });
    expect(await failureOf(beyond)).toMatchObject({
      reason: 'SCOPE_NOT_ALLOWED',
      metadata: { limited_by: 'refresh token' },
    });
    expect(await refresh(refreshToken, { scopes, onExcess })).toMatchObject({
      scopes: ['orders:read'],
      excess: [{ asked: 'orders:write', limitedBy: 'refresh token' }],
    });
  });

  test('a call that is repeated otherwise than it was is another use', async () => {
    const { refreshToken } = await issue(patient);
    await refresh(refreshToken, {}, patient);
    const otherwise = refresh(refreshToken, { onExcess: OnExcess.CUT_DOWN }, patient);
    expect(await failureOf(otherwise)).toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
  });
});

describe('where refresh tokens have come to live shorter than when it was made', () => {
  const second = { seconds: 1n };
  const wait = () => new Promise((resolve) => setTimeout(resolve, 1_100));
  const limit = ({ appId }: Renewer, over: Record<string, unknown>) =>
    world.changeApp(appId, { refresh: create(RefreshPolicySchema, { ttlMax: month, ...over }) });

  test.each([
    ['its family', { ttlMax: second }],
    ['one that lies unused', { idleMax: second }],
  ])('%s ends as soon as that is over, and goes on once they may live longer again', async (_, over) => {
    const own = await addApp({ ttlMax: month });
    const { refreshToken } = await issue(own);
    await wait();
    await limit(own, over);
    expect(await failureOf(refresh(refreshToken, {}, own))).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
    await limit(own, {});
    await refresh(refreshToken, {}, own);
  });

  test('what it renews ends with its family, counted from the first one, however often it was renewed', async () => {
    const own = await addApp({ ttlMax: month });
    const began = Date.now();
    const { refreshToken } = await issue(own);
    const done = Date.now();
    await wait();
    const renewed = await refresh(refreshToken, {}, own);
    await limit(own, { ttlMax: { seconds: 30n } });
    const { expiresAt, refreshExpiresAt } = await refresh(renewed.refreshToken, {}, own);
    for (const at of [expiresAt, refreshExpiresAt]) {
      expect(Number(at?.seconds)).toBeGreaterThanOrEqual(Math.floor(began / 1_000) + 30);
      expect(Number(at?.seconds)).toBeLessThanOrEqual(done / 1_000 + 30);
    }
  });
});

test('a refresh token that is used twice takes its whole family with it', async () => {
  const first = await issue();
  const second = await refresh(first.refreshToken);
  const third = await refresh(second.refreshToken);
  const other = await issue();
  expect(await failureOf(refresh(first.refreshToken))).toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
  for (const { token } of [first, second, third]) expect(await isActive(token)).toBe(false);
  for (const one of [first, second, third]) {
    expect(await failureOf(refresh(one.refreshToken))).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  }
  expect(await isActive(other.token)).toBe(true);
  expect(await refresh(other.refreshToken)).toMatchObject({ scopes });
});

test.each<[string, Record<string, unknown>, (own: World, renewer: Renewer) => Promise<unknown>]>([
  [
    'has lain unused for too long',
    { idleMax: { seconds: 2n } },
    () => new Promise((resolve) => setTimeout(resolve, 2_100)),
  ],
  [
    'could renew nothing any more',
    {},
    ({ tenantId, operator }) => {
      const rules = [{ ruleId: 'none', scopes: { names: ['orders:write'] } }];
      return operator.registry.updatePolicy({ policy: { tenantId, rules } });
    },
  ],
  [
    'comes where there are no more to be had in this minute',
    {},
    (own, { appId }) => own.changeApp(appId, { tokensPerMinuteMax: 0 }),
  ],
])('a used one takes its family with it also where it %s', async (_, over, change) => {
  const own = await openWorld(stack);
  const renewer = await addApp({ ttlMax: month, ...over }, own);
  const first = await own.issue({ appId: renewer.appId, scopes: ['orders:read'], refreshable: true });
  const second = await refresh(first.refreshToken, {}, renewer);
  await change(own, renewer);
  expect(await failureOf(refresh(first.refreshToken, {}, renewer))).toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
  for (const { token } of [first, second]) expect((await own.validate(token)).active).toBe(false);
});

test('of many uses at once one counts', async () => {
  const { refreshToken, token } = await issue();
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => refresh(refreshToken)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await isActive(token)).toBe(false);
});

test('within the grace a call that is repeated gets the same answer, and another one none', async () => {
  const { refreshToken } = await issue(patient);
  const first = await refresh(refreshToken, {}, patient);
  const again = await refresh(refreshToken, {}, patient);
  expect([again.token, again.refreshToken, again.tokenId]).toEqual([first.token, first.refreshToken, first.tokenId]);
  expect(await isActive(first.token)).toBe(true);
  expect(await failureOf(refresh(refreshToken, { scopes: ['orders:read'] }, patient))).toMatchObject({
    reason: 'REFRESH_TOKEN_REUSED',
  });
  expect(await isActive(first.token)).toBe(false);
});

test('it is no token: nothing validates it, exchanges it, or takes it for a credential', async () => {
  const { refreshToken } = await issue();
  expect(await world.validate(refreshToken)).toMatchObject({ active: false, reason: RefusalReason.NOT_HONOURED });
  const exchanged = app.clients.issuer.exchangeToken({ token: refreshToken, audience: world.audience, scopes });
  expect(await failureOf(exchanged)).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  const asCredential = clientsOf(stack, refreshToken).issuer.refreshToken({ refreshToken });
  expect(await failureOf(asCredential)).toMatchObject({ reason: 'CALLER_UNKNOWN' });
});

describe('it is refused', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    [
      'to another app',
      async () => refresh((await issue()).refreshToken, {}, patient),
      'TOKEN_NOT_HONOURED refresh_token',
    ],
    ['where it is a token', async () => refresh((await issue()).token), 'TOKEN_NOT_HONOURED refresh_token'],
    ['where it is none', async () => refresh('tks_rubbish'), 'TOKEN_NOT_HONOURED refresh_token'],
    [
      'to an app that may not have any',
      async () => world.issue({ appId: await world.addApp(), refreshable: true }),
      'REFRESH_NOT_ALLOWED refreshable',
    ],
    [
      'without a user',
      async () =>
        app.clients.issuer.issueToken(world.request({ appId: app.appId, userId: '', claims: {}, refreshable: true })),
      'REFRESH_NOT_ALLOWED refreshable',
    ],
    [
      'once it has lain unused for too long',
      async () => {
        const hasty = await addApp({ ttlMax: month, idleMax: { seconds: 1n } });
        const { refreshToken } = await issue(hasty);
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        return refresh(refreshToken, {}, hasty);
      },
      'TOKEN_NOT_HONOURED refresh_token',
    ],
    [
      'once its family has ended, however busily it was used',
      async () => {
        const brief = await addApp({ ttlMax: { seconds: 2n } });
        let { refreshToken } = await issue(brief);
        for (let turn = 0; turn < 20; turn++) {
          ({ refreshToken } = await refresh(refreshToken, {}, brief));
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        return refreshToken;
      },
      'TOKEN_NOT_HONOURED refresh_token',
    ],
  ])('%s', async (_, attempt, expected) => {
    const { reason, metadata } = await failureOf(attempt());
    expect(`${reason} ${metadata.field}`).toBe(expected);
  });
});

const target = (value: Parameters<typeof world.operator.revocation.revokeTokens>[0]['target']) =>
  world.operator.revocation.revokeTokens({ target: value, reason: 'test', idempotencyKey: unique('key') });

test.each<[string, (made: Awaited<ReturnType<typeof issue>>, consentId: string) => Promise<unknown>]>([
  ['the refresh token', ({ refreshToken }) => revoke(refreshToken)],
  ['the user', () => target({ target: { case: 'user', value: { tenantId: world.tenantId, userId: 'ada' } } })],
  ['the app', () => target({ target: { case: 'app', value: { appId: app.appId } } })],
  ['the tenant', () => target({ target: { case: 'tenant', value: { tenantId: world.tenantId } } })],
  ['the consent', (_, consentId) => target({ target: { case: 'consentId', value: consentId } })],
])('revoking %s ends the family', async (_, die) => {
  const consentId = await world.consent({ appId: app.appId });
  const made = await issue(app, { consentId });
  const renewed = await refresh(made.refreshToken);
  expect(await isActive(renewed.token)).toBe(true);
  await die({ ...made, refreshToken: renewed.refreshToken }, consentId);
  expect([await isActive(made.token), await isActive(renewed.token)]).toEqual([false, false]);
  expect(await failureOf(refresh(renewed.refreshToken))).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
});

test('the audit trail names the first refresh token of a family beside all others of it', async () => {
  const own = await openWorld(stack);
  const renewer = await addApp({ ttlMax: month }, own);
  const { refreshToken } = await own.issue({ appId: renewer.appId, scopes, refreshable: true });
  const renewed = await refresh(refreshToken, {}, renewer);
  await refresh(renewed.refreshToken, {}, renewer);
  const issued = (await trailOf(stack, own.tenantId)).flatMap(({ act }) =>
    act.case === 'tokenIssued' && act.value.credentialFor === '' ? [act.value] : [],
  );
  const [first, ...others] = issued.sort((a, b) => a.parentTokenId.length - b.parentTokenId.length);
  expect(first).toMatchObject({ audience: 'touchstone:refresh', parentTokenId: '' });
  expect(others.map(({ parentTokenId }) => parentTokenId)).toEqual(Array(5).fill(first?.tokenId));
});

test('revoking a token leaves its family', async () => {
  const { token, refreshToken } = await issue();
  await revoke(token);
  expect(await isActive(token)).toBe(false);
  expect(await refresh(refreshToken)).toMatchObject({ scopes });
});

test('a family ends with the consent that it stands on', async () => {
  const consentId = await world.consent({ appId: app.appId, ttl: { seconds: 2n } });
  const { refreshToken, refreshExpiresAt } = await issue(app, { consentId });
  expect(Number(refreshExpiresAt?.seconds)).toBeLessThanOrEqual(Date.now() / 1_000 + 3);
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  expect(await failureOf(refresh(refreshToken))).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
});
