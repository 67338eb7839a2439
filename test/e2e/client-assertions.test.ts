import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import {
  type CallerIdentity,
  CallerIdentitySchema,
  ClientType,
  HostingType,
  type ResourceServer,
  type Tenant,
} from '@touchstone/contracts';
import { openDatabase } from '@touchstone/store-postgres';
import { exportSPKI, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { type Clients, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { trailOf } from './support-audit.ts';
import { bootstrapCredential } from './support-callers.ts';
import {
  type ClientKey,
  type ClientKind,
  claimsOf,
  clientKinds,
  clientsAsserting,
  clientsSending,
  identify,
  identity,
  identityService,
  nameOf,
  openClientKey,
  recordConsent,
  rights,
} from './support-clients.ts';
import { startAnother } from './support-issuer.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
const kinds = Object.keys(clientKinds) as ClientKind[];
const denied = 'PermissionDenied CALLER_NOT_ALLOWED';
const stranger = 'Unauthenticated CALLER_UNKNOWN';
const algorithms = { app: 'EdDSA', resource_server: 'ES256', identity_service: 'RS256' } as const;
const byKey = ({ jwk }: ClientKey) => ({ case: 'jwk', value: jwk }) as const;

const cleanup = new AsyncDisposableStack();
let own: World;
let foreign: World;
let elsewhere: SharedStack;
const keys = {} as Record<ClientKind, ClientKey>;
/** Every assertion that was sent. */
const sent: string[] = [];

beforeAll(async () => {
  elsewhere = cleanup.use(await startAnother('validator', stack));
  [own, foreign] = await Promise.all([openWorld(stack), openWorld(stack)]);
  for (const kind of kinds) {
    keys[kind] = await openClientKey(`${kind}-1`, algorithms[kind]);
    await identify(own, kind, [byKey(keys[kind])]);
  }
});
afterAll(() => cleanup.disposeAsync());

/** A client of its own for a test to change. */
async function newClient(kind: ClientKind = 'resource_server') {
  const world = await openWorld(stack);
  const key = await openClientKey('first');
  await identify(world, kind, [byKey(key)]);
  return { world, key, client: nameOf(kind, world) };
}
const asking = async (at: SharedStack, assertion: string): Promise<Clients> => {
  sent.push(assertion);
  return clientsSending(at, async () => ({ authorization: `Bearer ${assertion}` }));
};
const validate = ({ validator }: Clients, { audience }: World = own) =>
  validator.validateToken({ token: 'tks_rubbish', audience, requiredScopes: ['orders:read'] });

describe.each(kinds)('a client of the kind %s', (kind) => {
  test.each(rights)('may do what its scopes say, in its own tenant, and nothing else: %s', async (_, call, allowed) => {
    const clients = clientsAsserting(stack, nameOf(kind, own), keys[kind]);
    const outcome = await outcomeOf(call(clients, own, foreign));
    expect(outcome).toBe(allowed.includes(kind) ? 'ok' : denied);
  });

  test("is not known by the name of another tenant's client, or by another name of its own", async () => {
    for (const name of [nameOf(kind, foreign), ...kinds.filter((one) => one !== kind).map((one) => nameOf(one, own))]) {
      expect(await outcomeOf(validate(clientsAsserting(stack, name, keys[kind]))), name).toBe(stranger);
    }
  });
});

const pemOf = async ({ jwk, alg }: ClientKey) => exportSPKI((await importJWK(JSON.parse(jwk), alg)) as CryptoKey);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const hs256 = (secret: string, client: string, kid: string) => {
  const input = `${part({ alg: 'HS256', kid })}.${part(claimsOf(client))}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const seconds = (fromNow: number) => Math.floor(Date.now() / 1_000) + fromNow;

type Wrong = (key: ClientKey, client: string) => string | Promise<string>;
test.each<[string, Wrong]>([
  ['that has expired', (key, client) => key.assertion(client, { exp: seconds(-1), iat: seconds(-60) })],
  ['that lives for more than five minutes', (key, client) => key.assertion(client, { exp: seconds(310) })],
  ['that was made in the future', (key, client) => key.assertion(client, { iat: seconds(45) })],
  ['that is not good yet', (key, client) => key.assertion(client, { nbf: seconds(45) })],
  ['without an end', (key, client) => key.assertion(client, { exp: undefined })],
  ['for somebody else', (key, client) => key.assertion(client, { aud: 'https://idp.example.com' })],
  [
    'for somebody else, too',
    (key, client) => key.assertion(client, { aud: ['touchstone', 'https://idp.example.com'] }),
  ],
  ['whose issuer is not its subject', (key, client) => key.assertion(client, { iss: nameOf('app', own) })],
  ['by a key that is not there', (key, client) => key.assertion(client, {}, { kid: 'other' })],
  ['without a kid', (key, client) => key.assertion(client, {}, { kid: undefined })],
  ['by another key', async ({ kid }, client) => (await openClientKey(kid, 'ES256')).assertion(client)],
  [
    'by another key, which it brings along',
    async ({ kid }, client) => {
      const other = await openClientKey(kid, 'ES256');
      return other.assertion(client, {}, { jwk: JSON.parse(other.jwk) });
    },
  ],
  ['by no algorithm', ({ kid }, client) => `${part({ alg: 'none', kid })}.${part(claimsOf(client))}.`],
  ['by HS256 with the public key', ({ jwk, kid }, client) => hs256(jwk, client, kid)],
  ['by HS256 with the public key in PEM', async (key, client) => hs256(await pemOf(key), client, key.kid)],
  ['without a jti', (key, client) => key.assertion(client, { jti: undefined })],
  ['with a jti that is too long', (key, client) => key.assertion(client, { jti: 'x'.repeat(257) })],
  ['of another type', (key, client) => key.assertion(client, {}, { typ: 'dpop+jwt' })],
  ['with what is critical', (key, client) => key.assertion(client, { exp: seconds(60) }, { crit: ['b64'], b64: true })],
  ['of a client that is not there', (key) => key.assertion(`resource_server:${unique('none')}`)],
  ['that is too long', (key, client) => key.assertion(client, { more: 'x'.repeat(4_096) })],
])('an assertion %s is refused', async (_, make) => {
  const assertion = await make(keys.resource_server, nameOf('resource_server', own));
  const failure = await failureOf(validate(await asking(stack, assertion)));
  expect(`${failure.code} ${failure.reason}`).toBe(stranger);
  expect(JSON.stringify(failure)).not.toContain(assertion.split('.')[2] || assertion);
});

test('an assertion is good once, in the whole installation, however many send it at once', async () => {
  const name = nameOf('resource_server', own);
  const assertion = await keys.resource_server.assertion(name);
  const [here, there] = [await asking(stack, assertion), await asking(elsewhere, assertion)];
  const calls = Array.from({ length: 10 }, () => [
    validate(here),
    validate(there),
    // No right to it, which it learns once it is known.
    here.registry.getTenant({ tenantId: own.tenantId }),
    here.revocation.getRevocation({ revocationId: 'rvk_0' }),
  ]).flat();
  const outcomes = await Promise.all(calls.map(outcomeOf));
  expect(outcomes.filter((outcome) => outcome !== stranger)).toHaveLength(1);
  for (const again of [here, there]) expect(await outcomeOf(validate(again))).toBe(stranger);
  // The same jti in another assertion is the same one; of another client it is another.
  const claims = { jti: JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()).jti };
  expect(await outcomeOf(validate(await asking(stack, await keys.resource_server.assertion(name, claims))))).toBe(
    stranger,
  );
  const app = await keys.app.assertion(nameOf('app', own), claims);
  expect(await outcomeOf(validate(await asking(stack, app)))).toBe(denied);
});

test('one that is not taken in spite of its signature can be sent again once its time has come', async () => {
  const name = nameOf('resource_server', own);
  const assertion = await keys.resource_server.assertion(name, { nbf: seconds(33) });
  const clients = await asking(stack, assertion);
  expect(await outcomeOf(validate(clients))).toBe(stranger);
  await vi.waitUntil(async () => (await outcomeOf(validate(clients))) === 'ok', { timeout: 20_000, interval: 200 });
});

test('keys are exchanged without a gap, and one that was removed is refused within a second, alone', async () => {
  const { world, key, client } = await newClient();
  const next = await openClientKey('next', 'ES256');
  const [before, after] = [clientsAsserting(stack, client, key), clientsAsserting(stack, client, next)];
  expect(await outcomeOf(validate(before, world))).toBe('ok');
  expect(await outcomeOf(validate(after, world))).toBe(stranger);
  await identify(world, 'resource_server', [byKey(key), byKey(next)]);
  await vi.waitUntil(async () => (await outcomeOf(validate(after, world))) === 'ok', { timeout: 2_000 });
  expect(await outcomeOf(validate(before, world))).toBe('ok');
  await identify(world, 'resource_server', [byKey(next)]);
  const removedAt = performance.now();
  while (performance.now() < removedAt + 1_050) expect(await outcomeOf(validate(after, world))).toBe('ok');
  expect(await outcomeOf(validate(before, world))).toBe(stranger);
});

test('with a key that has been taken away no consent is recorded any more', async () => {
  const { world, key, client } = await newClient('identity_service');
  const clients = clientsAsserting(stack, client, key);
  expect(await outcomeOf(recordConsent(clients, world))).toBe('ok');
  await identify(world, 'identity_service', []);
  expect(await outcomeOf(recordConsent(clients, world))).toBe(stranger);
});

test.each<[string, ClientKind, (world: World) => Promise<unknown>]>([
  ['an app', 'app', ({ operator, appId }) => operator.registry.disableApp({ appId })],
  [
    'a resource server',
    'resource_server',
    ({ operator, audience }) => operator.registry.disableResourceServer({ audience }),
  ],
  ['the tenant of an app', 'app', ({ operator, tenantId }) => operator.registry.disableTenant({ tenantId })],
  [
    'the tenant of an identity service',
    'identity_service',
    ({ operator, tenantId }) => operator.registry.disableTenant({ tenantId }),
  ],
])('once %s is disabled its client is refused within a second', async (_, kind, disable) => {
  const { world, key, client } = await newClient(kind);
  const { issuer } = clientsAsserting(stack, client, key);
  expect(await outcomeOf(issuer.batchIssueTokens({ requests: [world.request({ userId: '', claims: {} })] }))).not.toBe(
    stranger,
  );
  await disable(world);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  expect(await outcomeOf(issuer.batchIssueTokens({ requests: [world.request({ userId: '', claims: {} })] }))).toBe(
    stranger,
  );
});

test('who can write to the database can neither add a key nor revive a client', async () => {
  await using database = openDatabase({ url: stack.adminUrl, applicationName: 'test', connectionsMax: 1 });
  const { world, key, client } = await newClient();
  const [own, other] = [clientsAsserting(stack, client, key), await openClientKey('other')];
  const forged = clientsAsserting(stack, client, other);
  const [row] = await database.query({
    text: 'select entry from resource_server where audience = $1',
    values: [world.audience],
  });
  const entry = JSON.parse(row?.[0] as string);
  const put = (text: object) =>
    database.query({
      text: 'update resource_server set entry = $2 where audience = $1',
      values: [world.audience, JSON.stringify(text)],
    });
  await put({ ...entry, identities: [...entry.identities, { jwk: other.jwk, scopes: ['tokens:validate'] }] });
  // What was not written under our key counts as not there.
  for (const clients of [own, forged]) expect(await outcomeOf(validate(clients, world))).toBe(stranger);
  await put(entry);
  expect(await outcomeOf(validate(own, world))).toBe('ok');
  await world.operator.registry.disableResourceServer({ audience: world.audience });
  await database.query({
    text: 'update resource_server set disabled_revision = null where audience = $1',
    values: [world.audience],
  });
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  expect(await outcomeOf(validate(own, world))).toBe(stranger);
});

describe('who may register them', () => {
  const app = (tenantId: string, identities: CallerIdentity[]) => ({
    app: {
      appId: unique('app'),
      tenantId,
      clientType: ClientType.WEB,
      hostingType: HostingType.FIRST_PARTY,
      identities,
    },
  });
  const keyed = (key: ClientKey, scopes = ['tokens:issue:self']) => identity(byKey(key), scopes);
  const operator = async (scopes: readonly string[], tenantId = own.tenantId) =>
    clientsOf(stack, (await bootstrapCredential(stack, [tenantId], scopes)).credential).registry;

  test('registry:write alone makes none, changes none and removes none, and leaves them as they are', async () => {
    const world = await openWorld(stack);
    const { tenantId, audience } = world;
    const registry = await operator(['registry:write', 'registry:read'], tenantId);
    const [key, other] = [await openClientKey('k1'), await openClientKey('k2')];
    expect(await outcomeOf(registry.createApp(app(tenantId, [keyed(key)])))).toBe(denied);
    const spare = unique('tenant');
    const elsewhereOperator = await operator(['registry:write'], spare);
    const identityServices = [identityService('login', [keyed(key, ['tokens:issue'])])];
    expect(await outcomeOf(elsewhereOperator.createTenant({ tenant: { tenantId: spare, identityServices } }))).toBe(
      denied,
    );
    await identify(world, 'resource_server', [byKey(key)]);
    const read = async () => (await registry.getResourceServer({ audience })).resourceServer as ResourceServer;
    const change = async (over: object) =>
      outcomeOf(registry.updateResourceServer({ resourceServer: { ...(await read()), ...over } }));
    const scopes = ['tokens:validate'];
    expect(await change({ identities: [] })).toBe(denied);
    expect(await change({ identities: [keyed(other, scopes)] })).toBe(denied);
    expect(await change({ identities: [keyed(key, scopes), keyed(other, scopes)] })).toBe(denied);
    expect(await change({ displayName: 'Orders' })).toBe('ok');
    expect(await read()).toMatchObject({ displayName: 'Orders', identities: [{ method: byKey(key), scopes }] });
  });

  test('tokens:explain is handed on only by whom has it, and stays where it is otherwise', async () => {
    const world = await openWorld(stack);
    const key = await openClientKey('k1');
    const scopes = ['tokens:validate', 'tokens:explain'];
    const registry = await operator(['registry:write', 'registry:read', 'credentials:issue'], world.tenantId);
    const lesser = { ...world, operator: { ...world.operator, registry } };
    expect(await outcomeOf(identify(lesser, 'resource_server', [byKey(key)], scopes))).toBe(
      'PermissionDenied CREDENTIAL_NOT_ALLOWED',
    );
    await identify(world, 'resource_server', [byKey(key)], scopes);
    const { resourceServer } = await registry.getResourceServer({ audience: world.audience });
    const next = keyed(await openClientKey('k2'), ['tokens:validate']);
    const identities = [...(resourceServer?.identities ?? []), next];
    await registry.updateResourceServer({ resourceServer: { ...(resourceServer as ResourceServer), identities } });
  });

  test.each<[string, (key: ClientKey) => CallerIdentity[], string]>([
    [
      'a scope that its kind may not have',
      (key) => [keyed(key, ['tokens:validate'])],
      'PermissionDenied CREDENTIAL_NOT_ALLOWED',
    ],
    ['no scopes', (key) => [keyed(key, [])], 'InvalidArgument INVALID_FIELD'],
    ['a private key', ({ privateJwk }) => [keyed({ jwk: privateJwk } as ClientKey)], 'InvalidArgument INVALID_FIELD'],
    ['what is no key', () => [keyed({ jwk: '{}' } as ClientKey)], 'InvalidArgument INVALID_FIELD'],
    ['two keys of one kid', (key) => [keyed(key), keyed(key, ['tokens:issue:self'])], 'InvalidArgument INVALID_FIELD'],
    [
      'nothing to show',
      () => [create(CallerIdentitySchema, { scopes: ['tokens:issue:self'] })],
      'InvalidArgument INVALID_FIELD',
    ],
    ['more than eight', (key) => Array.from({ length: 9 }, () => keyed(key)), 'InvalidArgument INVALID_FIELD'],
    [
      'a SPIFFE id that is none',
      () => [identity({ case: 'spiffeId', value: 'https://example.com' }, ['tokens:issue:self'])],
      'InvalidArgument INVALID_FIELD',
    ],
  ])('an app with %s is refused', async (_, identities, outcome) => {
    const key = await openClientKey('k1');
    const call = own.operator.registry.createApp(app(own.tenantId, identities(key)));
    const failure = await failureOf(call);
    expect(`${failure.code} ${failure.reason}`).toBe(outcome);
    const { d } = JSON.parse(key.privateJwk);
    expect(JSON.stringify(failure)).not.toContain(d);
  });

  test('two identity services of one name are refused', async () => {
    const identities = [keyed(await openClientKey('k1'), ['tokens:issue'])];
    const identityServices = [1, 2].map(() => identityService('login', identities));
    const { tenant } = await own.operator.registry.getTenant({ tenantId: own.tenantId });
    const call = own.operator.registry.updateTenant({ tenant: { ...(tenant as Tenant), identityServices } });
    expect(await outcomeOf(call)).toBe('InvalidArgument INVALID_FIELD');
  });
});

test('the audit trail names the key that a caller has shown', async () => {
  await clientsAsserting(stack, nameOf('app', own), keys.app).issuer.issueToken(
    own.request({ userId: '', claims: {} }),
  );
  const latest = (await trailOf(stack, own.tenantId)).at(-1);
  expect(latest?.actor).toMatchObject({ kind: 'app', name: own.appId, credentialId: 'key:app-1' });
});

test('no log and no metric holds an assertion, and the log names the key', async () => {
  const logs = stack.logFiles.map((file) => readFileSync(file, 'utf8')).join('');
  const metrics = await Promise.all(Object.values(stack.http).map(async (at) => (await fetch(`${at}/metrics`)).text()));
  const told = logs + metrics.join('');
  expect(sent.length).toBeGreaterThan(20);
  for (const assertion of sent) {
    for (const one of assertion.split('.').filter((text) => text.length > 40)) expect(told.includes(one)).toBe(false);
  }
  expect(logs).toContain('"credential":"key:resource_server-1"');
});
