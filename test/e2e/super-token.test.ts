import { ClientType, HostingType, OnExcess, Usage } from '@touchstone/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Clients, clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { outcomeInBatch, outcomeOf } from './support-outcome.ts';

/**
 * There is no token that everything lets through: each way to ask for one, by name, wherever scopes can be asked for.
 */
const stack = inject('stack');
let world: World;
let foreign: World;
let app: Clients;
let appId: string;
/** Another resource server of the tenant, with a scope of its own. */
let elsewhere: string;
let superuser: pg.Client;
beforeAll(async () => {
  [world, foreign] = await Promise.all([openWorld(stack), openWorld(stack)]);
  elsewhere = await addAudience(world, { scopes: [{ name: 'invoices:read' }] });
  await addAudience(foreign, { scopes: [{ name: 'secrets:read' }] });
  appId = await world.addApp({ refresh: { ttlMax: { seconds: 3_600n } } });
  const principal = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 3_600n };
  const { credential } = await world.operator.registry.issueCredential({
    principal,
    scopes: ['tokens:issue:self'],
    ttl,
  });
  app = clientsOf(stack, credential);
  superuser = new pg.Client({ connectionString: stack.adminUrl, options: '-c search_path=touchstone' });
  await superuser.connect();
});
afterAll(() => superuser?.end());

const invalid = 'InvalidArgument INVALID_FIELD';
const denied = 'PermissionDenied SCOPE_NOT_ALLOWED';

/** What one would ask for to get everything; and what one is told. */
const asked: readonly (readonly [name: string, scopes: string[], outcome: string])[] = [
  ['no scopes', [], invalid],
  ['an empty scope', [''], invalid],
  ['an empty scope among others', ['orders:read', ''], invalid],
  ['a wildcard', ['*'], invalid],
  ['a wildcard among others', ['orders:read', '*'], invalid],
  ['a wildcard behind a prefix', ['orders:*'], invalid],
  ['a wildcard of another language', ['orders:%'], invalid],
  ['a pattern', ['orders:.*'], invalid],
  ['a prefix', ['orders'], denied],
  ['a prefix with its colon', ['orders:'], denied],
  ['a longer name', ['orders:read:all'], denied],
  ['the word all', ['all'], denied],
  ['a scope of Touchstone itself', ['tokens:revoke_all'], denied],
  ['capitals', ['ORDERS:READ'], invalid],
  ['a capital', ['orders:Read'], invalid],
  ['a letter of another script', ['\u043erders:read'], invalid],
  ['a letter in full width', ['\uff4frders:read'], invalid],
  ['a letter with an accent that stands apart', ['orders:re\u0301ad'], invalid],
  ['a letter that is not seen', ['orders:read\u200b'], invalid],
  ['two scopes in one', ['orders:read orders:write'], invalid],
  ['two scopes in one, by a comma', ['orders:read,orders:write'], invalid],
  ['a scope and a line end', ['orders:read\n'], invalid],
  ['a scope and a zero byte', ['orders:read\0'], invalid],
  ['a space before it', [' orders:read'], invalid],
  ['a scope twice', ['orders:read', 'orders:read'], invalid],
  ['thousands of scopes', Array.from({ length: 5_000 }, (_, i) => `orders:s${i}`), invalid],
  ['a scope of another resource server', ['orders:read', 'invoices:read'], denied],
  ['a scope of another tenant', ['orders:read', 'secrets:read'], denied],
  ['the name of what every object has', ['constructor'], denied],
];

describe.each(asked)('%s', (_, wanted, outcome) => {
  test('gets no token', async () => {
    const request = world.request({ scopes: wanted });
    expect(await outcomeOf(world.identity.issuer.issueToken(request))).toBe(outcome);
    expect(await outcomeOf(outcomeInBatch(world.identity.issuer.batchIssueTokens({ requests: [request] })))).toBe(
      outcome,
    );
  });

  test('gets no more by being cut down', async () => {
    const call = world.issue({ scopes: wanted, onExcess: OnExcess.CUT_DOWN });
    const granted = await call.then(
      (issued) => issued.scopes,
      () => [],
    );
    expect(scopes).toEqual(expect.arrayContaining([...granted]));
    expect(wanted).toEqual(expect.arrayContaining([...granted]));
  });

  test('is exchanged for nothing', async () => {
    const { token } = await world.issue({ appId });
    const exchanged = outcomeOf(app.issuer.exchangeToken({ token, audience: world.audience, scopes: wanted }));
    expect(await exchanged).toBe(outcome);
  });

  test('is honoured for no more than the token allows', async () => {
    const { token } = await world.issue({ scopes });
    const { validator } = world.resourceServer;
    const asking = { token, audience: world.audience, requiredScopes: wanted };
    const active = await validator.validateToken(asking).then(
      (answer) => answer.active,
      () => false,
    );
    // Who asks for the same twice asks for it once.
    expect(active).toBe(new Set(wanted).size < wanted.length);
  });

  test('is no consent, no grant and no rule that widens', async () => {
    const { registry } = world.operator;
    const grants = [{ audience: world.audience, scopes: wanted }];
    const kinds = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
    const entry = { appId: unique('app'), tenantId: world.tenantId, ...kinds, grants };
    expect(await outcomeOf(registry.createApp({ app: entry }))).toMatch(/^(InvalidArgument|PermissionDenied)/);
    expect(await outcomeOf(world.consent({ grants }))).toMatch(/^(InvalidArgument|PermissionDenied)/);
  });
});

test('a refresh token is renewed to no more than it was made for', async () => {
  for (const [name, wanted] of asked.filter(([, some]) => some.length > 0)) {
    const { refreshToken } = await world.issue({ appId, refreshable: true });
    const outcome = await outcomeOf(app.issuer.refreshToken({ refreshToken, scopes: wanted }));
    expect([name, outcome]).toEqual([name, expect.stringMatching(/^(InvalidArgument|PermissionDenied)/)]);
  }
});

test.each<[string, () => Promise<unknown>, string]>([
  [
    'a list of audiences',
    () => world.issue({ audience: `${world.audience} ${elsewhere}` }),
    'NotFound AUDIENCE_UNKNOWN',
  ],
  ['every audience', () => world.issue({ audience: '*' }), 'NotFound AUDIENCE_UNKNOWN'],
  ['no audience', () => world.issue({ audience: '' }), invalid],
  ['Touchstone itself as the audience', () => world.issue({ audience: 'touchstone' }), 'NotFound AUDIENCE_UNKNOWN'],
  [
    'the audience of refresh tokens',
    () => world.issue({ audience: 'touchstone:refresh' }),
    'NotFound AUDIENCE_UNKNOWN',
  ],
  ['no usage', () => world.issue({ usage: Usage.UNSPECIFIED }), invalid],
  ['a usage that is none', () => world.issue({ usage: 99 }), invalid],
  ['a life without end', () => world.issue({ ttl: { seconds: 9_223_372_036n } }), 'InvalidArgument TTL_TOO_LONG'],
  ['a life below zero', () => world.issue({ ttl: { seconds: -1n } }), invalid],
  [
    'the consent of another user',
    async () => world.issue({ userId: 'eve', consentId: await world.consent() }),
    'NotFound CONSENT_UNKNOWN',
  ],
  [
    'a consent to another app',
    async () => world.issue({ appId: await world.addApp(), consentId: await world.consent() }),
    'NotFound CONSENT_UNKNOWN',
  ],
  ["another tenant's app", () => world.issue({ appId: foreign.appId }), 'NotFound APP_UNKNOWN'],
  ['another tenant', () => world.issue({ tenantId: foreign.tenantId }), 'PermissionDenied CALLER_NOT_ALLOWED'],
])('%s gets no token', async (_, call, outcome) => {
  expect(await outcomeOf(call())).toBe(outcome);
});

test('a disabled app gets no token', async () => {
  const gone = await world.addApp();
  await world.operator.registry.disableApp({ appId: gone });
  expect(await outcomeOf(world.issue({ appId: gone }))).toBe('FailedPrecondition DISABLED');
});

test('an app changes nothing about itself', async () => {
  const { app: entry } = await world.operator.registry.getApp({ appId });
  if (!entry) throw new Error('there is no app');
  const wider = { ...entry, grants: [] };
  expect(await outcomeOf(app.registry.updateApp({ app: wider }))).toBe('PermissionDenied CALLER_NOT_ALLOWED');
  const { tenantId } = world;
  expect(await outcomeOf(app.registry.updatePolicy({ policy: { tenantId, rules: [{ ruleId: 'mine' }] } }))).toBe(
    'PermissionDenied CALLER_NOT_ALLOWED',
  );
});

test("a caller's credential is no token, and a token no credential", async () => {
  const { validator } = world.resourceServer;
  const asking = { token: world.identity.credential, audience: world.audience, requiredScopes: ['orders:read'] };
  expect(await validator.validateToken(asking)).toMatchObject({ active: false });
  const { token } = await world.issue();
  expect(await outcomeOf(clientsOf(stack, token).issuer.issueToken(world.request()))).toBe(
    'Unauthenticated CALLER_UNKNOWN',
  );
});

test('no rule of a policy can say all', async () => {
  const { registry } = world.operator;
  const { tenantId } = world;
  for (const names of [['*'], [''], ['orders:*'], ['ALL'], ['orders:read', 'orders:read']]) {
    const rules = [{ ruleId: 'all', scopes: { names } }];
    expect(await outcomeOf(registry.updatePolicy({ policy: { tenantId, rules } }))).toBe(invalid);
  }
});

test('the database keeps no record without scopes', async () => {
  const { tokenId } = await world.issue();
  expect(tokenId).toMatch(/^tok_/);
  const widened = superuser.query(`update token set scopes = '{}' where tenant_id = $1`, [world.tenantId]);
  await expect(widened).rejects.toThrow(/violates check constraint/);
});
