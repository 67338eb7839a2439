import { attenuate } from '@touchstone/client';
import { RefusalReason, TokenMethod } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { type Clients, clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { addServer, type Server } from './support-servers.ts';

const stack = inject('stack');
const { REFERENCE, SIGNED, SPLIT, ATTENUABLE } = TokenMethod;

let world: World;
let appId: string;
let app: Clients;
/** Orders calls stock, stock calls itself through a chain of others; nobody calls billing. */
let orders: Server;
let stock: Server;
let billing: Server;
beforeAll(async () => {
  world = await openWorld(stack);
  billing = await addApi({ scopes: ['invoices:read'] });
  stock = await addApi({ scopes: ['items:read', 'items:write'], releasedClaims: ['email'] });
  orders = await addApi({
    scopes,
    releasedClaims: ['name', 'email'],
    exchanges: [
      {
        audience: stock.audience,
        scopes: [
          { from: 'orders:read', to: 'items:read' },
          { from: 'orders:write', to: 'items:write' },
        ],
      },
    ],
  });
  const grants = [
    { audience: orders.audience, scopes },
    { audience: stock.audience, scopes: ['items:read'] },
  ];
  const methods = [REFERENCE, SIGNED, SPLIT, ATTENUABLE];
  appId = await world.addApp({ grants, methods });
  const principal = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 3_600n };
  const issued = await world.operator.registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl });
  app = clientsOf(stack, issued.credential);
});

const addApi = (over: { readonly scopes: readonly string[]; readonly [more: string]: unknown }): Promise<Server> =>
  addServer(stack, world, { ...over, scopes: over.scopes.map((name) => ({ name })) });

const issue = (over: Record<string, unknown> = {}) =>
  world.issue({ appId, audience: orders.audience, scopes, ...over });
const exchange = (clients: Clients, token: string, over: Record<string, unknown> = {}) =>
  clients.issuer.exchangeToken({ token, audience: stock.audience, scopes: ['items:read'], ...over });
const validate = ({ audience, clients }: Server, token: string, scope: string) =>
  clients.validator.validateToken({ token, audience, requiredScopes: [scope] });
const consentFor = (...grants: readonly { audience: string; scopes: string[] }[]) => world.consent({ appId, grants });

test('a resource server passes on what it was called for, and no more than the next one may see', async () => {
  const parent = await issue();
  const child = await exchange(orders.clients, parent.token);
  expect(child.scopes).toEqual(['items:read']);
  const answer = await validate(stock, child.token, 'items:read');
  expect(answer).toMatchObject({
    active: true,
    appId,
    subject: 'ada',
    scopes: ['items:read'],
    claims: { email: 'ada@example.org' },
    actors: [orders.audience],
  });
  expect(Object.keys(answer.claims ?? {})).toEqual(['email']);
  expect(Number(child.expiresAt?.seconds)).toBeLessThanOrEqual(Number(parent.expiresAt?.seconds));
  expect(await validate(orders, child.token, 'orders:read')).toMatchObject({ active: false });
});

test('an app narrows its own token, and gets no more at another audience than it could ask for', async () => {
  const parent = await issue();
  const narrower = await exchange(app, parent.token, { audience: orders.audience, scopes: ['orders:read'] });
  expect(await validate(orders, narrower.token, 'orders:read')).toMatchObject({ active: true, actors: [] });
  expect(await validate(orders, narrower.token, 'orders:write')).toMatchObject({ reason: RefusalReason.SCOPE_MISSING });
  expect(await exchange(app, parent.token)).toMatchObject({ scopes: ['items:read'] });
  expect(await failureOf(exchange(app, parent.token, { scopes: ['items:write'] }))).toMatchObject({
    reason: 'SCOPE_NOT_ALLOWED',
  });
});

test('what a copy was narrowed to, no exchange gives back', async () => {
  const { token } = await issue({ method: ATTENUABLE });
  const request = 'x'.repeat(43);
  const copy = attenuate(token, { scopes: ['orders:read'], request });
  const refused = (over: Record<string, unknown>) => failureOf(exchange(orders.clients, copy, over));
  expect(await refused({})).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  expect(await refused({ request, scopes: ['items:write'] })).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
  expect(await exchange(orders.clients, copy, { request })).toMatchObject({ scopes: ['items:read'] });
  // No request comes to an app: it could name any.
  const byApp = exchange(app, copy, { request, audience: orders.audience, scopes: ['orders:read'] });
  expect(await failureOf(byApp)).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  const soon = attenuate(copy, { expiresAt: Math.floor(Date.now() / 1_000) + 30 });
  const child = await exchange(orders.clients, soon, { request });
  expect(Number(child.expiresAt?.seconds)).toBeLessThanOrEqual(Date.now() / 1_000 + 31);
});

test('once apps need a consent of the user, what was issued without one makes nothing more', async () => {
  const own = await openWorld(stack);
  const { registry } = own.operator;
  const { token } = await own.issue();
  const narrower = () => exchange(own.resourceServer, token, { audience: own.audience, scopes: ['orders:read'] });
  await narrower();
  const { tenant } = await registry.getTenant({ tenantId: own.tenantId });
  if (!tenant) throw new Error('there is no tenant');
  await registry.updateTenant({ tenant: { ...tenant, firstPartyWithoutConsent: false } });
  expect(await failureOf(narrower())).toMatchObject({ reason: 'CONSENT_REQUIRED' });
});

describe('it is refused', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ['without an edge', async () => exchange(stock.clients, (await childOf()).token, back()), 'EXCHANGE_NOT_ALLOWED'],
    [
      'to an audience that no edge leads to',
      async () =>
        exchange(orders.clients, (await issue()).token, { audience: billing.audience, scopes: ['invoices:read'] }),
      'EXCHANGE_NOT_ALLOWED',
    ],
    [
      'to an audience that is none',
      async () => exchange(orders.clients, (await issue()).token, nowhere),
      'AUDIENCE_UNKNOWN',
    ],
    [
      'for a scope that the token lacks the counterpart of',
      async () => exchange(orders.clients, (await issue({ scopes: ['orders:read'] })).token, writing),
      'SCOPE_NOT_ALLOWED',
    ],
    [
      'for longer than the token lives',
      async () => exchange(orders.clients, (await issue({ ttl: { seconds: 60n } })).token, { ttl: { seconds: 120n } }),
      'TTL_TOO_LONG',
    ],
    [
      'to a method that is not for exchanges',
      async () => exchange(orders.clients, (await issue()).token, { method: SPLIT }),
      'INVALID_FIELD',
    ],
    ['of what is no token', async () => exchange(orders.clients, 'tks_rubbish'), 'TOKEN_NOT_HONOURED'],
    [
      'for an audience that it is not for',
      async () => exchange(billing.clients, (await issue()).token),
      'TOKEN_NOT_HONOURED',
    ],
    ['to another app', async () => exchange(world.app, (await issue()).token), 'TOKEN_NOT_HONOURED'],
    ['of a credential', async () => exchange(app, app.credential), 'TOKEN_NOT_HONOURED'],
    [
      'of one that has been revoked',
      async () => {
        const { token } = await issue();
        await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'test' });
        return exchange(orders.clients, token);
      },
      'TOKEN_NOT_HONOURED',
    ],
    [
      'where the user has not permitted the target',
      async () => {
        const consentId = await consentFor({ audience: orders.audience, scopes });
        return exchange(orders.clients, (await issue({ consentId })).token);
      },
      'SCOPE_NOT_ALLOWED',
    ],
  ])('%s', async (_, attempt, reason) => {
    expect(await failureOf(attempt())).toMatchObject({ reason });
  });

  const childOf = async () => exchange(orders.clients, (await issue()).token);
  const nowhere = { audience: 'https://nowhere.example.com' };
  const writing = { scopes: ['items:write'] };
  const back = () => ({ audience: orders.audience, scopes: ['orders:read'] });
});

test('a child dies with what it was made from, however that dies', async () => {
  const consentId = await consentFor(
    { audience: orders.audience, scopes },
    { audience: stock.audience, scopes: ['items:read'] },
  );
  const make = async () => {
    const parent = await issue({ consentId, method: SPLIT });
    return { parent, child: await exchange(orders.clients, parent.token) };
  };
  type Made = Awaited<ReturnType<typeof make>>;
  const { tenantId } = world;
  const target = (value: Parameters<typeof world.operator.revocation.revokeTokens>[0]['target']) =>
    world.operator.revocation.revokeTokens({ target: value, reason: 'test', idempotencyKey: unique('key') });
  const signingKey = async () => (await world.operator.registry.rotateSigningKey({ tenantId })).active?.signingKeyId;
  let key = (await signingKey()) ?? '';
  const deaths: readonly (readonly [string, (made: Made) => Promise<unknown>])[] = [
    [
      'token',
      ({ parent }) =>
        world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: parent.token }, reason: 'test' }),
    ],
    ['user', () => target({ target: { case: 'user', value: { tenantId, userId: 'ada' } } })],
    ['app', () => target({ target: { case: 'app', value: { appId } } })],
    ['signing key', () => target({ target: { case: 'signingKeyId', value: key } })],
    ['consent', () => target({ target: { case: 'consentId', value: consentId } })],
  ];
  for (const [name, die] of deaths) {
    const made = await make();
    expect(await validate(stock, made.child.token, 'items:read'), name).toMatchObject({ active: true });
    await die(made);
    expect(await validate(stock, made.child.token, 'items:read'), name).toMatchObject({ active: false });
    if (name === 'signing key') key = '';
  }
});

test('a phantom token is short, readable by both sides only in what both may see, and names who acts', async () => {
  const parent = await issue();
  const { token, expiresAt } = await exchange(orders.clients, parent.token, { method: SIGNED });
  expect(Number(expiresAt?.seconds)).toBeLessThanOrEqual(Date.now() / 1_000 + 61);
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  expect(payload).toMatchObject({
    aud: stock.audience,
    scope: 'items:read',
    claims: { email: 'ada@example.org' },
    act: { sub: orders.audience },
  });
  expect(Object.keys(payload.claims)).toEqual(['email']);
  expect(await validate(stock, token, 'items:read')).toMatchObject({ active: true, actors: [orders.audience] });
  const long = exchange(orders.clients, parent.token, { method: SIGNED, ttl: { seconds: 61n } });
  expect(await failureOf(long)).toMatchObject({ reason: 'TTL_TOO_LONG' });
});

test('a token is made out of at most four others', async () => {
  let { token } = await issue();
  const narrow = { audience: orders.audience, scopes: ['orders:read'] };
  for (let depth = 1; depth <= 4; depth++) ({ token } = await exchange(app, token, narrow));
  expect(await validate(orders, token, 'orders:read')).toMatchObject({ active: true });
  expect(await failureOf(exchange(app, token, narrow))).toMatchObject({ reason: 'EXCHANGE_TOO_DEEP' });
});
