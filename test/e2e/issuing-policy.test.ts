import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ClientType, HostingType } from '@touchstone/contracts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { startAnotherIssuer } from './support-issuer.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let another: SharedStack & AsyncDisposable;
let world: World;
beforeAll(async () => {
  [another, world] = await Promise.all([startAnotherIssuer(stack), openWorld(stack)]);
});
afterAll(() => another?.[Symbol.asyncDispose]());

/** The caller, at the other issuer. */
const elsewhere = ({ credential }: Clients): Clients => clientsOf(another, credential);
const kinds = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };

describe('what one issuer was told, every issuer knows at once', () => {
  const issuers = (own: World) => [own.identity.issuer, elsewhere(own.identity).issuer];

  test('an app is issued to the moment that it has been registered', async () => {
    const own = await openWorld(stack);
    for (const { issueToken } of issuers(own)) {
      const appId = unique('app');
      // Asked for before it is there, so that its absence could be remembered.
      for (const one of issuers(own))
        expect(await outcomeOf(one.issueToken(own.request({ appId })))).toBe('NotFound APP_UNKNOWN');
      await own.operator.registry.createApp({
        app: { appId, tenantId: own.tenantId, ...kinds, grants: [{ audience: own.audience, scopes: ['orders:read'] }] },
      });
      await expect(issueToken(own.request({ appId }))).resolves.toBeDefined();
    }
  });

  test.each<[what: string, disable: (own: World) => Promise<unknown>, outcome: string]>([
    ['an app', (own) => own.operator.registry.disableApp({ appId: own.appId }), 'FailedPrecondition DISABLED'],
    [
      'a resource server',
      (own) => own.operator.registry.disableResourceServer({ audience: own.audience }),
      'FailedPrecondition DISABLED',
    ],
  ])('%s that has been disabled gets no token from any of them', async (_what, disable, outcome) => {
    const own = await openWorld(stack);
    for (const one of issuers(own)) await one.issueToken(own.request());
    await disable(own);
    for (const one of issuers(own)) expect(await outcomeOf(one.issueToken(own.request()))).toBe(outcome);
  });

  test('the same, told to the other one', async () => {
    const own = await openWorld(stack);
    for (const one of issuers(own)) await one.issueToken(own.request());
    await elsewhere(own.operator).registry.disableApp({ appId: own.appId });
    for (const one of issuers(own))
      expect(await outcomeOf(one.issueToken(own.request()))).toBe('FailedPrecondition DISABLED');
  });

  test('in a tenant that the other one has disabled nothing is registered any more', async () => {
    const own = await openWorld(stack);
    await elsewhere(own.operator).registry.disableTenant({ tenantId: own.tenantId });
    expect(await outcomeOf(own.addApp())).toBe('FailedPrecondition DISABLED');
    expect(await outcomeOf(addAudience(own))).toBe('FailedPrecondition DISABLED');
  });

  test('a token that one of them made before an app was disabled is refused, and none is made after, however many ask', async () => {
    const own = await openWorld(stack);
    const before: string[] = [];
    const after: string[] = [];
    let isDisabled = false;
    const asking = issuers(own).map(async (one) => {
      while (!isDisabled) before.push((await one.issueToken(own.request()).catch(() => ({ token: '' }))).token);
      for (let i = 0; i < 10; i++) after.push(await outcomeOf(one.issueToken(own.request())));
    });
    await own.operator.registry.disableApp({ appId: own.appId });
    isDisabled = true;
    await Promise.all(asking);
    expect(new Set(after)).toEqual(new Set(['FailedPrecondition DISABLED']));
    const made = before.filter(Boolean);
    for (const token of made) expect((await own.validate(token)).active).toBe(false);
  });
});

describe('a token allows', () => {
  test.each<[asked: string[], refused: string | null, by: string]>([
    [['orders:read'], null, ''],
    [['orders:write', 'orders:read'], null, ''],
    // The resource server has it, the app was not granted it.
    [['orders:read', 'orders:refund'], 'orders:refund', 'app'],
    // Granted elsewhere, and here no scope at all.
    [['invoices:read'], 'invoices:read', 'resource server'],
    [['registry:write'], 'registry:write', 'resource server'],
  ])('what the resource server has and the app was granted: %j, refused %o', async (scopes, refused, limitedBy) => {
    const { operator, tenantId } = world;
    const [audience, other] = [unique('api'), unique('api')];
    const named = (...all: string[]) => all.map((name) => ({ name }));
    await operator.registry.createResourceServer({
      resourceServer: { audience, tenantId, scopes: named('orders:read', 'orders:write', 'orders:refund') },
    });
    await operator.registry.createResourceServer({
      resourceServer: { audience: other, tenantId, scopes: named('invoices:read') },
    });
    const grants = [
      { audience, scopes: ['orders:read', 'orders:write'] },
      { audience: other, scopes: ['invoices:read'] },
    ];
    const appId = unique('app');
    await operator.registry.createApp({ app: { appId, tenantId, ...kinds, grants } });
    const call = world.issue({ appId, audience, scopes });
    if (refused === null) expect((await call).scopes).toEqual(scopes);
    else
      expect(await failureOf(call)).toEqual({
        code: 'PermissionDenied',
        reason: 'SCOPE_NOT_ALLOWED',
        message: `the ${limitedBy} does not allow the scope ${refused}`,
        metadata: { field: 'scopes', scope: refused, limited_by: limitedBy },
      });
  });

  test('nothing, for an app without grants', async () => {
    const appId = unique('app');
    await world.operator.registry.createApp({ app: { appId, tenantId: world.tenantId, ...kinds } });
    expect(await outcomeOf(world.issue({ appId }))).toBe('PermissionDenied SCOPE_NOT_ALLOWED');
  });
});

describe('a token lives', () => {
  const seconds = (count: number | null) => (count === null ? {} : { tokenTtlMax: { seconds: BigInt(count) } });

  test.each<
    [tenant: number | null, app: number | null, server: number | null, usual: number, longest: number, by: string]
  >([
    [null, null, null, 900, 3_600, 'tenant'],
    [600, null, null, 600, 600, 'tenant'],
    [7_200, null, null, 900, 7_200, 'tenant'],
    [7_200, 300, null, 300, 300, 'app'],
    [7_200, null, 200, 200, 200, 'resource server'],
    [7_200, 100, 200, 100, 100, 'app'],
    [7_200, 300, 200, 200, 200, 'resource server'],
    [50, 300, 200, 50, 50, 'tenant'],
    // A longer limit of one does not widen that of another.
    [600, 7_000, 7_000, 600, 600, 'tenant'],
    [7_776_000, null, null, 900, 7_776_000, 'installation'],
  ])(
    'by the limits of tenant %o, app %o and resource server %o: usually %i seconds, at most %i',
    async (tenant, app, server, usual, longest, by) => {
      const [tenantId, audience, appId] = [unique('tenant'), unique('api'), unique('app')];
      const { registry } = await bootstrapped(stack, [tenantId]);
      await registry.createTenant({ tenant: { tenantId, ...seconds(tenant) } });
      await registry.createResourceServer({
        resourceServer: { audience, tenantId, scopes: [{ name: 'orders:read' }], ...seconds(server) },
      });
      await registry.createApp({
        app: { appId, tenantId, ...kinds, grants: [{ audience, scopes: ['orders:read'] }], ...seconds(app) },
      });
      const principal = { case: 'app', value: { appId } } as const;
      const { credential } = await registry.issueCredential({
        principal,
        scopes: ['tokens:issue:self'],
        ttl: { seconds: 60n },
      });
      const { issuer } = clientsOf(stack, credential);
      const request = world.request({ tenantId, audience, appId, userId: '', claims: {} });
      const livesFor = async (ttl: number | null) => {
        const before = Date.now();
        const { expiresAt } = await issuer.issueToken({
          ...request,
          ...(ttl === null ? {} : { ttl: { seconds: BigInt(ttl) } }),
        });
        const [lower, upper] = [before, Date.now()].map((now) => (expiresAt ? timestampMs(expiresAt) : 0) - now) as [
          number,
          number,
        ];
        return { lower, upper };
      };
      for (const [asked, expected] of [
        [null, usual],
        [longest, longest],
        [1, 1],
      ] as const) {
        const { lower, upper } = await livesFor(asked);
        expect(upper).toBeLessThanOrEqual(expected * 1_000);
        expect(lower).toBeGreaterThanOrEqual(expected * 1_000);
      }
      const { reason, metadata } = await failureOf(
        issuer.issueToken({ ...request, ttl: { seconds: BigInt(longest) + 1n } }),
      );
      expect([reason, metadata]).toEqual([
        'TTL_TOO_LONG',
        { field: 'ttl', max_seconds: String(longest), limited_by: expect.any(String) },
      ]);
      // With several limits that it breaks, one of them is named; alone it is the one.
      if (longest === 7_776_000 || by === 'tenant') expect(metadata.limited_by).toBe(by);
    },
  );
});
