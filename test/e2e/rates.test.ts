import { type Code, ConnectError } from '@connectrpc/connect';
import { ClientType, HostingType, OnLiveTokensMax } from '@touchstone/contracts';
import { RetryInfoSchema } from '@touchstone/contracts/google-rpc';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { revokedOnTrail } from './support-audit.ts';
import { startAnotherIssuer } from './support-issuer.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let another: SharedStack & AsyncDisposable;
let world: World;
beforeAll(async () => {
  another = await startAnotherIssuer(stack);
});
afterAll(() => another?.[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await openWorld(stack);
});

const exceeded = 'ResourceExhausted RATE_EXCEEDED';
const times = async (count: number, call: () => Promise<unknown>): Promise<string[]> => {
  const outcomes: string[] = [];
  for (let i = 0; i < count; i++) outcomes.push(await outcomeOf(call()));
  return outcomes;
};

test('an app gets as many tokens a minute as it may have, and is told when there are more', async () => {
  const appId = await world.addApp({ tokensPerMinuteMax: 5 });
  expect(await times(6, () => world.issue({ appId }))).toEqual([...Array(5).fill('ok'), exceeded]);
  const failure = await failureOf(world.issue({ appId }));
  expect(failure.message).toBe('the app gets at most 5 tokens a minute');
  expect(failure.metadata).toMatchObject({ limited_by: 'app', tokens_per_minute: '5' });
  const error = await world.issue({ appId }).catch(ConnectError.from);
  const [retry] = (error as ConnectError).findDetails(RetryInfoSchema);
  const seconds = Number(retry?.retryDelay?.seconds);
  expect([seconds >= 0 && seconds <= 60, (error as ConnectError).code]).toEqual([true, 8 satisfies Code]);
  // Others have their own.
  await world.issue();
});

test('the apps of a tenant share what the tenant may have', async () => {
  const { registry } = world.operator;
  const { tenant } = await registry.getTenant({ tenantId: world.tenantId });
  if (!tenant) throw new Error('there is no tenant');
  const apps = [await world.addApp(), await world.addApp()];
  await registry.updateTenant({ tenant: { ...tenant, tokensPerMinuteMax: 4 } });
  const outcomes = await Promise.all(apps.flatMap((appId) => times(4, () => world.issue({ appId }))));
  expect(outcomes.flat().filter((outcome) => outcome === 'ok')).toHaveLength(4);
  expect(new Set(outcomes.flat())).toEqual(new Set(['ok', exceeded]));
});

test('all issuers together give no more, however many ask at once', async () => {
  const appId = await world.addApp({ tokensPerMinuteMax: 200 });
  const issuers = [world.identity.issuer, clientsOf(another, world.identity.credential).issuer];
  const calls = Array.from({ length: 300 }, (_, i) =>
    outcomeOf(issuers[i % 2]?.issueToken(world.request({ appId })) as never),
  );
  const outcomes = await Promise.all(calls);
  const issued = outcomes.filter((outcome) => outcome === 'ok').length;
  expect(new Set(outcomes)).toEqual(new Set(['ok', exceeded]));
  expect(issued).toBeLessThanOrEqual(200);
  // What a replica took and did not hand out is lost.
  expect(issued).toBeGreaterThanOrEqual(180);
});

test('what is refused for another reason does not count; what is renewed or exchanged does', async () => {
  const appId = unique('app');
  const { audience, tenantId, operator } = world;
  await operator.registry.createApp({
    app: {
      appId,
      tenantId,
      clientType: ClientType.WEB,
      hostingType: HostingType.FIRST_PARTY,
      grants: [{ audience, scopes: ['orders:read'] }],
      refresh: { ttlMax: { seconds: 600n } },
      tokensPerMinuteMax: 3,
    },
  });
  const principal = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 600n };
  const { credential } = await operator.registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl });
  const app = clientsOf(stack, credential);
  const refused = await times(5, () => world.issue({ appId, scopes: ['orders:write'] }));
  expect(new Set(refused)).toEqual(new Set(['PermissionDenied SCOPE_NOT_ALLOWED']));
  const { token, refreshToken } = await world.issue({ appId, refreshable: true });
  const renewed = await app.issuer.refreshToken({ refreshToken });
  const exchange = () => app.issuer.exchangeToken({ token, audience, scopes: ['orders:read'] });
  await exchange();
  expect(await outcomeOf(exchange())).toBe(exceeded);
  expect(await outcomeOf(app.issuer.refreshToken({ refreshToken: renewed.refreshToken }))).toBe(exceeded);
  // It was not used up.
  await world.changeApp(appId, { tokensPerMinuteMax: 0 });
  await app.issuer.refreshToken({ refreshToken: renewed.refreshToken });
});

describe('where the policy lets so many tokens of an app and a user be alive', () => {
  const setLimit = async (liveTokensMax: number, onLiveTokensMax: OnLiveTokensMax) => {
    const { registry } = world.operator;
    const { tenantId } = world;
    const { policy } = await registry.getPolicy({ tenantId });
    const rules = [{ ruleId: 'few', liveTokensMax, onLiveTokensMax }];
    await registry.updatePolicy({ policy: { tenantId, version: policy?.version ?? 0, rules } });
  };
  const full = 'ResourceExhausted TOO_MANY_TOKENS';

  test('one more is refused, until one of them has been revoked or has expired', async () => {
    await setLimit(2, OnLiveTokensMax.REFUSE);
    const short = await world.issue({ ttl: { seconds: 2n } });
    const other = await world.issue();
    expect(await outcomeOf(world.issue())).toBe(full);
    // Other users, and other apps, have their own.
    await world.issue({ userId: 'eve' });
    await world.issue({ appId: await world.addApp() });
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(await world.validate(short.token)).toMatchObject({ active: false });
    await world.issue();
    expect(await outcomeOf(world.issue())).toBe(full);
    await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: other.token } });
    await world.issue();
  });

  test('the oldest goes for one more, where the policy says so, and none of other users and apps; each is told of', async () => {
    await setLimit(2, OnLiveTokensMax.REVOKE_OLDEST);
    const others = [await world.issue({ userId: 'eve' }), await world.issue({ appId: await world.addApp() })];
    const issued: typeof others = [];
    for (let i = 0; i < 4; i++) issued.push(await world.issue());
    const active = (tokens: typeof others) =>
      Promise.all(tokens.map(async ({ token }) => (await world.validate(token)).active));
    expect(await active(issued)).toEqual([false, false, true, true]);
    expect(await active(others)).toEqual([true, true]);
    expect(await revokedOnTrail(stack, world.tenantId)).toMatchObject(
      issued.slice(0, 2).map(({ tokenId: targetKey }) => ({
        by: 'identity_service',
        targetKind: 'token',
        targetKey,
        reason: 'there was no room for a newer token of its app and user',
      })),
    );
  });

  test('what has ended is not looked at again by whoever wants room after it', async () => {
    await setLimit(2, OnLiveTokensMax.REVOKE_OLDEST);
    const appId = await world.addApp();
    for (let i = 0; i < 6; i++) await world.issue({ appId });
    const client = new pg.Client({ connectionString: stack.adminUrl });
    await client.connect();
    const counting = client.query('select count(*)::int from touchstone.live_token where app_id = $1', [appId]);
    const { rows } = await counting.finally(() => client.end());
    expect(rows).toEqual([{ count: 2 }]);
  });

  test.each([OnLiveTokensMax.REFUSE, OnLiveTokensMax.REVOKE_OLDEST])(
    'never are more alive, however many ask at once, at whichever issuer (%i)',
    async (onMax) => {
      await setLimit(3, onMax);
      const issuers = [world.identity.issuer, clientsOf(another, world.identity.credential).issuer];
      const calls = Array.from({ length: 20 }, (_, i) => issuers[i % 2]?.issueToken(world.request()));
      const issued = (await Promise.allSettled(calls)).flatMap((one) =>
        one.status === 'fulfilled' && one.value ? [one.value.token] : [],
      );
      const active = await Promise.all(issued.map(async (token) => (await world.validate(token)).active));
      expect(active.filter(Boolean)).toHaveLength(3);
    },
  );

  test('a renewal takes the room of one more, too', async () => {
    const appId = await world.addApp({ refresh: { ttlMax: { seconds: 600n } } });
    const principal = { case: 'app', value: { appId } } as const;
    const { credential } = await world.operator.registry.issueCredential({
      principal,
      scopes: ['tokens:issue:self'],
      ttl: { seconds: 600n },
    });
    const app = clientsOf(stack, credential);
    await setLimit(2, OnLiveTokensMax.REFUSE);
    const { refreshToken } = await world.issue({ appId, refreshable: true });
    const renewed = await app.issuer.refreshToken({ refreshToken });
    expect(await outcomeOf(app.issuer.refreshToken({ refreshToken: renewed.refreshToken }))).toBe(full);
    await setLimit(3, OnLiveTokensMax.REFUSE);
    await app.issuer.refreshToken({ refreshToken: renewed.refreshToken });
  });
});
