import { ClientType, HostingType, type PolicyRule, RefusalReason, TokenMethod, Usage } from '@touchstone/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { type Clients, clientsOf, openWorld, scopes, type World } from '../harness/world.ts';
import { startAnother } from './support-issuer.ts';
import { failureOf } from './support-outcome.ts';
import { addServer } from './support-servers.ts';

const stack = inject('stack');
let another: SharedStack & AsyncDisposable;
let world: World;
beforeAll(async () => {
  another = await startAnother('validator', stack);
});
afterAll(() => another?.[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await openWorld(stack);
});

type RuleInit = Partial<Omit<PolicyRule, '$typeName' | 'scopes' | 'tokenTtlMax'>> & {
  readonly scopes?: { readonly names: string[] };
  readonly tokenTtlMax?: { readonly seconds: bigint };
};
const anything = { ruleId: 'anything' };
const nothing = { scopes: { names: [] } };
const held = (rule: RuleInit) => ({ ruleId: 'held', holdsForIssuedTokens: true, ...rule });

const versionOf = async ({ operator, tenantId }: World): Promise<number> =>
  (await operator.registry.getPolicy({ tenantId })).policy?.version ?? 0;

/** Replaces the rules of the tenant; one about everything is always there. */
async function setRules(...rules: readonly RuleInit[]) {
  const { tenantId, operator } = world;
  const policy = { tenantId, version: await versionOf(world), rules: [anything, ...rules] };
  return operator.registry.updatePolicy({ policy });
}

async function rollBack(toVersion: number) {
  const { tenantId, operator } = world;
  return operator.registry.rollbackPolicy({ tenantId, toVersion, version: await versionOf(world) });
}

const stale = { requirement: { case: 'maxStaleness', value: { nanos: 1_000_000 } } } as const;
const atLeast = (revision: string) => ({ requirement: { case: 'atLeastRevision', value: revision } }) as const;

type Told = 'active' | RefusalReason;

/** How both validators answer, in every mode: one by one, and in a batch. */
async function answers(
  { resourceServer, audience }: Pick<World, 'resourceServer' | 'audience'>,
  token: string,
  revision: string,
): Promise<ReadonlySet<Told>> {
  const told = new Set<Told>();
  const tell = ({ active, reason }: { readonly active: boolean; readonly reason: RefusalReason }) =>
    told.add(active ? 'active' : reason);
  for (const { validator } of [resourceServer, clientsOf(another, resourceServer.credential)]) {
    const requests = [{}, { consistency: stale }, ...(revision ? [{ consistency: atLeast(revision) }] : [])].map(
      (mode) => ({ token, audience, requiredScopes: ['orders:read'], ...mode }),
    );
    for (const request of requests) tell(await validator.validateToken(request));
    const { results } = await validator.batchValidateTokens({ requests });
    for (const { outcome } of results) if (outcome.case === 'validated') tell(outcome.value);
  }
  return told;
}
const active: ReadonlySet<Told> = new Set(['active' as const]);
const refused: ReadonlySet<Told> = new Set([RefusalReason.NOT_HONOURED]);

test('a rule that holds for issued tokens refuses them at both validators in all modes; rolled back, they are good again', async () => {
  const other = await openWorld(stack);
  const [{ token }, { token: narrow }, elsewhere] = await Promise.all([
    world.issue({ scopes }),
    world.issue(),
    other.issue({ scopes }),
  ]);
  expect(await answers(world, token, '')).toEqual(active);

  const { revision } = await setRules(held({ scopes: { names: ['orders:read'] } }));
  expect(await answers(world, token, revision)).toEqual(refused);
  expect(await answers(world, narrow, revision)).toEqual(active);
  expect(await answers(other, elsewhere.token, '')).toEqual(active);

  const rolledBack = await rollBack(0);
  expect(await answers(world, token, rolledBack.revision)).toEqual(active);
  const again = await rollBack(1);
  expect(await answers(world, token, again.revision)).toEqual(refused);
  const lifted = await setRules({ ruleId: 'held', scopes: { names: ['orders:read'] } });
  expect(await answers(world, token, lifted.revision)).toEqual(active);
});

test('why is told to who may know', async () => {
  const { token } = await world.issue();
  await setRules(held(nothing));
  const { credential } = await world.operator.registry.issueCredential({
    principal: { case: 'resourceServer', value: { audience: world.audience } },
    scopes: ['tokens:validate', 'tokens:explain'],
    ttl: { seconds: 60n },
  });
  expect(await answers({ ...world, resourceServer: clientsOf(stack, credential) }, token, '')).toEqual(
    new Set([RefusalReason.POLICY]),
  );
});

describe('what is beyond a rule that holds for issued tokens', () => {
  test.each<[string, RuleInit, Record<string, unknown>, RuleInit]>([
    ['the life', { tokenTtlMax: { seconds: 60n } }, { ttl: { seconds: 61n } }, { tokenTtlMax: { seconds: 61n } }],
    ['the method', { methods: [TokenMethod.SPLIT] }, {}, { methods: [TokenMethod.REFERENCE] }],
    ['the usage', { usages: [Usage.BATCH], ...nothing }, { usage: Usage.BATCH }, { usages: [Usage.TEST], ...nothing }],
    ['the client type', { clientTypes: [ClientType.WEB], ...nothing }, {}, { clientTypes: [ClientType.NATIVE] }],
    [
      'where it runs',
      { hostingTypes: [HostingType.FIRST_PARTY], ...nothing },
      {},
      { hostingTypes: [HostingType.ON_PREMISES], ...nothing },
    ],
    ['the environment', { environments: ['production'], ...nothing }, {}, { environments: ['test'], ...nothing }],
  ])('%s', async (_, rule, over, other) => {
    const { token } = await world.issue(over);
    await setRules(held(other));
    expect(await answers(world, token, '')).toEqual(active);
    await setRules(held(rule));
    expect(await answers(world, token, '')).toEqual(refused);
  });
});

test('an app that becomes what a rule is about has its tokens refused at once, and back', async () => {
  const { token } = await world.issue();
  const { revision: first } = await setRules(held({ hostingTypes: [HostingType.ON_PREMISES], ...nothing }));
  expect(await answers(world, token, first)).toEqual(active);
  const become = (hostingType: HostingType) => world.changeApp(world.appId, { hostingType });
  const revision = await become(HostingType.ON_PREMISES);
  expect(await answers(world, token, revision)).toEqual(refused);
  expect(await become(HostingType.ON_PREMISES)).toBe('');
  await become(HostingType.FIRST_PARTY);
  expect(await answers(world, token, '')).toEqual(active);
});

test('a token that is refused is not exchanged, and what was made from one that may have nothing is refused with it', async () => {
  const items = [{ name: 'items:read' }];
  const stock = await addServer(stack, world, { scopes: items });
  const exchanges = [{ audience: stock.audience, scopes: [{ from: 'orders:read', to: 'items:read' }] }];
  const orders = await addServer(stack, world, { scopes: scopes.map((name) => ({ name })), exchanges });
  const appId = await world.addApp({ grants: [{ audience: orders.audience, scopes }] });
  const { token } = await world.issue({ appId, audience: orders.audience });
  const exchange = () =>
    orders.clients.issuer.exchangeToken({ token, audience: stock.audience, scopes: ['items:read'] });
  const child = await exchange();
  const honoured = async () =>
    (
      await stock.clients.validator.validateToken({
        token: child.token,
        audience: stock.audience,
        requiredScopes: ['items:read'],
      })
    ).active;
  expect(await honoured()).toBe(true);
  await setRules(held({ audiences: [orders.audience], scopes: { names: ['orders:write'] } }));
  expect(await failureOf(exchange())).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  expect(await honoured()).toBe(true);
  await setRules(held({ audiences: [orders.audience], ...nothing }));
  expect(await failureOf(exchange())).toMatchObject({ reason: 'TOKEN_NOT_HONOURED' });
  expect(await honoured()).toBe(false);
  await setRules();
  await exchange();
  expect(await honoured()).toBe(true);
});

test('what a refresh token renews is decided anew; it is not used up by a refusal', async () => {
  const appId = await world.addApp({ refresh: { ttlMax: { seconds: 3_600n } } });
  const { credential } = await world.operator.registry.issueCredential({
    principal: { case: 'app', value: { appId } },
    scopes: ['tokens:issue:self'],
    ttl: { seconds: 60n },
  });
  const app: Clients = clientsOf(stack, credential);
  const { token, refreshToken } = await world.issue({ appId, refreshable: true });
  await setRules(held(nothing));
  expect(await answers(world, token, '')).toEqual(refused);
  expect(await failureOf(app.issuer.refreshToken({ refreshToken }))).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
  await rollBack(0);
  expect(await answers(world, token, '')).toEqual(active);
  const renewed = await app.issuer.refreshToken({ refreshToken });
  expect(await answers(world, renewed.token, '')).toEqual(active);
});

test('a policy takes a revision where it changes what holds for issued tokens, and none otherwise', async () => {
  expect((await setRules({ ruleId: 'usual', ...nothing, usages: [Usage.BATCH] })).revision).toBe('');
  expect((await setRules(held({ usages: [Usage.BATCH] }))).revision).not.toBe('');
  expect((await setRules(held({ usages: [Usage.BATCH] }), { ruleId: 'more' })).revision).toBe('');
  expect((await setRules()).revision).not.toBe('');
});

test('however many ask while it is set, nothing that is asked after its return is honoured', async () => {
  const { token } = await world.issue();
  const validators = [world.resourceServer, clientsOf(another, world.resourceServer.credential)];
  const request = { token, audience: world.audience, requiredScopes: ['orders:read'] };
  for (let round = 0; round < 5; round++) {
    let isSet = false;
    const after: boolean[] = [];
    const asking = validators.flatMap(({ validator }) =>
      Array.from({ length: 4 }, async () => {
        while (!isSet) await validator.validateToken(request);
        for (let i = 0; i < 5; i++) after.push((await validator.validateToken(request)).active);
      }),
    );
    await setRules(held(nothing));
    isSet = true;
    await Promise.all(asking);
    expect(new Set(after)).toEqual(new Set([false]));
    await setRules();
    for (const { validator } of validators) expect((await validator.validateToken(request)).active).toBe(true);
  }
});

test('before it is set it can be told which tokens it would refuse, and what of a token', async () => {
  const { tenantId, operator, appId, audience } = world;
  await Promise.all([world.issue({ scopes }), world.issue({ scopes }), world.issue()]);
  const preview = async (rule: RuleInit) => {
    const { changes, liveTokens, refusedTokens } = await operator.registry.previewPolicy({
      policy: { tenantId, rules: [anything, rule] },
    });
    return [liveTokens, refusedTokens, changes.filter((one) => one.refusedTokens > 0n).map((one) => one.usage)];
  };
  const readOnly = { ruleId: 'read-only', scopes: { names: ['orders:read'] } };
  expect(await preview(readOnly)).toEqual([2n, 0n, []]);
  expect(await preview({ ...readOnly, holdsForIssuedTokens: true })).toEqual([2n, 2n, [Usage.INTERACTIVE]]);
  await setRules({ ...readOnly, holdsForIssuedTokens: true });
  const explained = async (asked: string[]) =>
    operator.issuer.explainGrant({ request: { tenantId, appId, audience, scopes: asked, usage: Usage.INTERACTIVE } });
  expect((await explained(['orders:read'])).heldExcess).toEqual([]);
  expect((await explained(scopes)).heldExcess).toMatchObject([
    { field: 'scopes', asked: 'orders:write', limitedBy: 'rule read-only' },
  ]);
});
