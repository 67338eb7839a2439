import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import {
  type App,
  ClientType,
  HostingType,
  type ResourceServer,
  Sensitivity,
  type Tenant,
} from '@touchstone/contracts';
import { beforeAll, expect, inject, test } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const registryOf = () => world.operator.registry;
const tenantOf = async () => (await registryOf().getTenant({ tenantId: world.tenantId })).tenant as Tenant;
const appOf = async (appId: string) => (await registryOf().getApp({ appId })).app as App;

test('what is created is told with its defaults, just as it is read afterwards', async () => {
  const appId = unique('app');
  const kinds = { clientType: ClientType.SERVICE, hostingType: HostingType.ON_PREMISES };
  const { app } = await registryOf().createApp({ app: { appId, tenantId: world.tenantId, ...kinds } });
  expect(app).toMatchObject({ environment: 'production', disabled: false, etag: expect.stringMatching(/./) });
  expect(await appOf(appId)).toEqual(app);
  const audience = unique('api');
  const scopes = [{ name: 'a', sensitivity: Sensitivity.HIGH, tokenTtlMax: { seconds: 60n } }, { name: 'b' }];
  const given = { audience, tenantId: world.tenantId, scopes, owners: ['orders team'] };
  const { resourceServer } = await registryOf().createResourceServer({ resourceServer: given });
  expect(resourceServer).toMatchObject({
    ...given,
    scopes: [scopes[0], { name: 'b', sensitivity: Sensitivity.NORMAL }],
  });
  expect((await registryOf().getResourceServer({ audience })).resourceServer).toEqual(resourceServer);
});

test('a change of an app holds for what is issued once it has returned', async () => {
  const appId = await world.addApp();
  await world.issue({ appId });
  const app = await appOf(appId);
  const updated = await registryOf().updateApp({ app: { ...app, grants: [] } });
  expect(updated.app).toMatchObject({ appId, grants: [] });
  expect(updated.app?.etag).not.toBe(app.etag);
  expect(await failureOf(world.issue({ appId }))).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
  await registryOf().updateApp({ app: { ...app, etag: updated.app?.etag ?? '' } });
  await world.issue({ appId });
});

test('a change of a tenant holds for what is issued once it has returned', async () => {
  const before = await tenantOf();
  const { tenant } = await registryOf().updateTenant({
    tenant: { ...before, tokenTtlMax: create(DurationSchema, { seconds: 30n }) },
  });
  expect(await failureOf(world.issue({ ttl: { seconds: 31n } }))).toMatchObject({ reason: 'TTL_TOO_LONG' });
  await registryOf().updateTenant({ tenant: { ...before, etag: tenant?.etag ?? '' } });
  await world.issue({ ttl: { seconds: 31n } });
});

test('of two who change the same version of an app, or a tenant, one is told to read it again', async () => {
  const app = await appOf(await world.addApp());
  const tenant = await tenantOf();
  const rename = [
    (displayName: string) => registryOf().updateApp({ app: { ...app, displayName } }),
    (displayName: string) => registryOf().updateTenant({ tenant: { ...tenant, displayName } }),
  ];
  for (const update of rename) {
    const outcomes = await Promise.allSettled([update('one'), update('other')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await failureOf(update('late'))).toMatchObject({ code: 'Aborted', reason: 'ETAG_STALE' });
  }
});

test('an entry keeps to its tenant, and one that is disabled is changed no more', async () => {
  const other = await openWorld(stack);
  const appId = await world.addApp();
  const app = await appOf(appId);
  const moved = { ...app, tenantId: other.tenantId };
  expect(await failureOf(other.operator.registry.updateApp({ app: moved }))).toMatchObject({ reason: 'APP_UNKNOWN' });
  await registryOf().disableApp({ appId });
  expect(await appOf(appId)).toEqual({ ...app, disabled: true });
  expect(await failureOf(registryOf().updateApp({ app }))).toMatchObject({ reason: 'DISABLED' });
});

test('a scope has the longest life that it is given, whatever else the token may do', async () => {
  const scopes = [{ name: 'pay', tokenTtlMax: { seconds: 60n } }, { name: 'read' }];
  const audience = await addAudience(world, { scopes });
  const appId = await world.addApp({ grants: [{ audience, scopes: ['pay', 'read'] }] });
  const issue = (scopes: string[], seconds?: bigint) =>
    world.issue({ appId, audience, scopes, ...(seconds === undefined ? { ttl: undefined } : { ttl: { seconds } }) });
  expect(await failureOf(issue(['read', 'pay'], 61n))).toMatchObject({
    reason: 'TTL_TOO_LONG',
    metadata: expect.objectContaining({ max_seconds: '60', limited_by: 'scope pay' }),
  });
  await issue(['read'], 61n);
  const { expiresAt } = await issue(['read', 'pay']);
  expect(Number(expiresAt?.seconds) * 1_000 - Date.now()).toBeLessThan(61_000);
});

test('entries are limited in what they say all together, for lists tell of them entry by entry', async () => {
  const { tenantId } = world;
  const elsewhere = () => ({ audience: unique('api'), scopes: Array(251).fill({ from: 'a', to: 'a' }) });
  const resourceServer = { audience: unique('api'), tenantId, scopes: [{ name: 'a' }] };
  const exchanges = Array.from({ length: 8 }, elsewhere);
  expect(
    await failureOf(registryOf().createResourceServer({ resourceServer: { ...resourceServer, exchanges } })),
  ).toMatchObject({
    reason: 'INVALID_FIELD',
    message: 'resource_server.exchanges must map at most 2000 scopes, all together',
  });
  const kinds = { clientType: ClientType.SERVICE, hostingType: HostingType.ON_PREMISES };
  const granted = () => ({ audience: unique('api'), scopes: Array.from({ length: 251 }, (_, i) => `s${i}`) });
  const app = { appId: unique('app'), tenantId, ...kinds, grants: Array.from({ length: 8 }, granted) };
  expect(await failureOf(registryOf().createApp({ app }))).toMatchObject({
    reason: 'INVALID_FIELD',
    message: 'app.grants must have at most 2000 scopes, all together',
  });
});

test('lists are told page by page, in order, and leave nothing out', async () => {
  const { tenantId } = world;
  const added = new Set<string>();
  for (let i = 0; i < 5; i++) added.add(await world.addApp());
  const listed: string[] = [];
  let pageToken = '';
  do {
    const page = await registryOf().listApps({ tenantId, pageSize: 2, pageToken });
    expect(page.apps.length).toBeLessThanOrEqual(2);
    listed.push(...page.apps.map(({ appId }) => appId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(listed).toEqual([...listed].sort());
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed).toEqual(expect.arrayContaining([...added]));
  const { tenants } = await registryOf().listTenants({});
  expect(tenants.map((tenant) => tenant.tenantId)).toEqual([tenantId]);
  const { resourceServers } = await registryOf().listResourceServers({ tenantId });
  expect(resourceServers).toContainEqual(
    expect.objectContaining({ audience: world.audience } satisfies Partial<ResourceServer>),
  );
});

test('an etag names one version: what says the same later has another', async () => {
  const appId = await world.addApp();
  const { registry } = world.operator;
  const { app: first } = await registry.getApp({ appId });
  const update = (etag: string | undefined, displayName: string) =>
    registry.updateApp({ app: Object.assign({}, first, { etag, displayName }) });
  const { app: second } = await update(first?.etag, 'other');
  const { app: third } = await update(second?.etag, first?.displayName ?? '');
  expect(third).toMatchObject({ appId, displayName: first?.displayName });
  expect(await outcomeOf(update(first?.etag, 'other'))).toBe('Aborted ETAG_STALE');
});
