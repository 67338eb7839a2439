import { create, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import { ResourceServerSchema, TokenMethod } from '@touchstone/contracts';
import { beforeAll, expect, inject, test } from 'vitest';
import { type Clients, openWorld, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { addServer } from './support-servers.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

/** A resource server that is registered so, and an app that may call it. */
async function addServerAndApp(over: object) {
  const server = await addServer(stack, world, over);
  const methods = [TokenMethod.REFERENCE, TokenMethod.SIGNED];
  const grants = [{ audience: server.audience, scopes: ['orders:read'] }];
  return { ...server, appId: await world.addApp({ methods, grants }) };
}
type ServerAndApp = Awaited<ReturnType<typeof addServerAndApp>>;

const issue = ({ audience, appId }: ServerAndApp, over: Record<string, unknown> = {}) =>
  world.issue({ audience, appId, ...over });
const cached = { requirement: { case: 'maxStaleness', value: { seconds: 60n } } } as const;
const validate = ({ audience, clients }: { audience: string; clients: Clients }, token: string, over = {}) =>
  clients.validator.validateToken({ token, audience, requiredScopes: ['orders:read'], ...over });

async function change(
  { audience }: ServerAndApp,
  over: Exclude<MessageInitShape<typeof ResourceServerSchema>, Message>,
): ReturnType<Clients['registry']['updateResourceServer']> {
  const { registry } = world.operator;
  const { resourceServer } = await registry.getResourceServer({ audience });
  const changed = create(ResourceServerSchema, over);
  const values = Object.keys(over).map((name) => [name, changed[name as keyof typeof changed]]);
  return registry.updateResourceServer({
    resourceServer: Object.assign(resourceServer ?? {}, Object.fromEntries(values)),
  });
}

test('what is taken off the list is told no more once that has returned, whatever was remembered', async () => {
  const server = await addServerAndApp({ releasedClaims: ['name', 'email'] });
  const { token } = await issue(server);
  expect((await validate(server, token)).claims).toEqual({ name: 'Ada', email: 'ada@example.org' });
  expect((await validate(server, token, { consistency: cached })).claims).toEqual({
    name: 'Ada',
    email: 'ada@example.org',
  });
  const { revision } = await change(server, { releasedClaims: ['name'] });
  expect((await validate(server, token)).claims).toEqual({ name: 'Ada' });
  const reached = { requirement: { case: 'atLeastRevision', value: revision } } as const;
  expect((await validate(server, token, { consistency: reached })).claims).toEqual({ name: 'Ada' });
  await change(server, { releasedClaims: ['name', 'phone'] });
  expect((await validate(server, token)).claims).toEqual({ name: 'Ada', phone: '555' });
});

test('where nothing that is older may be told, an answer rests on what was true when it was asked for', async () => {
  const server = await addServerAndApp({});
  const { token } = await issue(server);
  await validate(server, token, { consistency: cached });
  const { revision } = await change(server, { stalenessMax: { seconds: 0n } });
  const reached = { requirement: { case: 'atLeastRevision', value: revision } } as const;
  // First the one that makes the validator hear of it.
  for (const consistency of [reached, cached]) {
    const before = Date.now();
    const { active, asOf } = await validate(server, token, { consistency });
    expect(active).toBe(true);
    expect(Number(asOf?.seconds) * 1_000 + (asOf?.nanos ?? 0) / 1e6).toBeGreaterThanOrEqual(before - 1);
  }
  await expect(change(server, { stalenessMax: { seconds: 61n } })).rejects.toThrow('staleness_max');
});

test('nothing is released where nothing was said', async () => {
  const server = await addServerAndApp({});
  const { token } = await issue(server);
  expect(await validate(server, token)).toMatchObject({ active: true, claims: {} });
});

test('resource servers of one sector are told one pseudonym of a user, those of another another one', async () => {
  const [orders, stock] = [
    await addServerAndApp({ pairwiseSector: 'shop' }),
    await addServerAndApp({ pairwiseSector: 'shop' }),
  ];
  const [bank, open] = [await addServerAndApp({ pairwiseSector: 'bank' }), await addServerAndApp({})];
  const told = async (server: ServerAndApp, over = {}) =>
    (await validate(server, (await issue(server, over)).token)).subject;
  const ada = await told(orders);
  expect(ada).toMatch(/^[0-9A-Za-z]{28}$/);
  expect([await told(orders), await told(stock), await told(open)]).toEqual([ada, ada, 'ada']);
  const others = [await told(bank), await told(orders, { userId: 'eve' })];
  expect(new Set([ada, 'ada', ...others]).size).toBe(4);
});

test('nor does a token that can be read tell who it is', async () => {
  const server = await addServerAndApp({ pairwiseSector: 'shop', releasedClaims: ['name'] });
  const byReference = await validate(server, (await issue(server)).token);
  const { token } = await issue(server, { method: TokenMethod.SIGNED });
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  expect([payload.sub, payload.claims]).toEqual([byReference.subject, { name: 'Ada' }]);
  expect(await validate(server, token)).toMatchObject({ subject: byReference.subject });
});

test('a sector holds as soon as it has been set', async () => {
  const server = await addServerAndApp({});
  const { token } = await issue(server);
  expect(await validate(server, token)).toMatchObject({ subject: 'ada' });
  await change(server, { pairwiseSector: 'shop' });
  expect((await validate(server, token)).subject).toMatch(/^[0-9A-Za-z]{28}$/);
});

test('of two who change the same version one is told to read it again', async () => {
  const server = await addServerAndApp({});
  const { registry } = world.operator;
  const { resourceServer } = await registry.getResourceServer({ audience: server.audience });
  const update = (releasedClaims: string[]) =>
    registry.updateResourceServer({ resourceServer: { ...resourceServer, releasedClaims } as typeof resourceServer });
  const outcomes = await Promise.allSettled([update(['name']), update(['email'])]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await failureOf(update(['phone']))).toMatchObject({ code: 'Aborted', reason: 'ETAG_STALE' });
});

test('scopes and exchanges are changed with it, and hold for what is issued next', async () => {
  const server = await addServerAndApp({});
  await change(server, { scopes: [{ name: 'orders:write' }] });
  expect(await failureOf(issue(server))).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
  const strange = change(server, {
    exchanges: [{ audience: world.audience, scopes: [{ from: 'x', to: 'orders:read' }] }],
  });
  expect(await failureOf(strange)).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
});
