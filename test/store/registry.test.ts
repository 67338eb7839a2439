import {
  AlreadyExists,
  type App,
  type AuditEvent,
  defaultPolicy,
  type EntriesPage,
  EtagStale,
  type PolicyVersion,
  type Registered,
  type Registration,
  type ResourceServer,
  type Rule,
  StoreUnavailable,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { type Database, policyStore, registry, registryWriter, releaseReader } from '@touchstone/store-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { unique } from '../harness/world.ts';
import { actor } from './minted.ts';

let store: TestDatabase;
beforeAll(async () => {
  store = await openTestDatabase();
});
afterAll(() => store?.[Symbol.asyncDispose]());

const options = () => ({ mac: store.keys.mac, codec: auditCodec, instanceId: unique('test'), chain: store.chain });
const openRegistry = () => registry(store.database, store.keys.mac);
const eventOf = (tenantId: string): AuditEvent => ({
  tenantId,
  actor,
  act: { type: 'registry_changed', what: 'app', id: '', change: 'created', reason: '' },
});
const sql = (text: string, ...values: unknown[]) => store.database.query({ text, values });

async function addTenant(): Promise<string> {
  const tenantId = unique('tenant');
  const entry = {
    tenantId,
    displayName: '',
    tokenTtlMax: 3_600,
    tokensPerMinuteMax: null,
    firstPartyWithoutConsent: true,
  };
  const writer = registryWriter(store.database, options());
  await writer.create({ what: 'tenant', entry }, eventOf(tenantId), null);
  return tenantId;
}

const appOf = (tenantId: string, appId: string): App => ({
  appId,
  tenantId,
  displayName: '',
  clientType: 'web',
  hostingType: 'first_party',
  grants: [],
  methods: ['reference'],
  refresh: null,
  environment: 'production',
  tokensPerMinuteMax: null,
  tokenTtlMax: null,
});

async function addApps(tenantId: string, ...ids: readonly string[]): Promise<void> {
  const writer = registryWriter(store.database, options());
  for (const id of ids) await writer.create({ what: 'app', entry: appOf(tenantId, id) }, eventOf(tenantId), null);
}

/** @returns its audience. */
async function addServer(tenantId: string, over: Partial<ResourceServer> = {}): Promise<string> {
  const audience = unique('api');
  const entry = {
    ...{ audience, tenantId, displayName: '', releasedClaims: [], pairwiseSector: null, encryptionJwk: null },
    ...{ scopes: [], exchanges: [], owners: [], tokenTtlMax: null },
    ...over,
  };
  await registryWriter(store.database, options()).create({ what: 'resource_server', entry }, eventOf(tenantId), null);
  return audience;
}

type Query = Database['query'];
type ActingFor = Parameters<Database['of']>[0];

/** The database, with something about each read of what is of tenants. */
const withReads = (about: (query: Query, tenantIds: ActingFor) => Query): Database => ({
  ...store.database,
  of(tenantIds) {
    const rows = store.database.of(tenantIds);
    return { ...rows, query: about(rows.query, tenantIds) };
  },
});

function countingReads() {
  let count = 0;
  const database = withReads((query) => (statement) => {
    count++;
    return query(statement);
  });
  return { database, count: () => count };
}

test('an entry that was not written under our key is not there, and ends no list', async () => {
  const tenantId = await addTenant();
  const ids = ['a', 'b', 'c', 'd', 'e'].map((name) => `${tenantId}-${name}`);
  await addApps(tenantId, ...ids);
  await sql('update app set mac = $2 where app_id = $1', ids[1], 'made up');
  await sql('update app set entry = (select entry from app where app_id = $2) where app_id = $1', ids[3], ids[0]);
  expect(await openRegistry().read('app', ids[1] as string, [tenantId])).toBeNull();
  expect(await openRegistry().read('app', ids[3] as string, [tenantId])).toBeNull();
  const listed: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page: EntriesPage<'app'> = await openRegistry().list('app', [tenantId], after, 2);
    listed.push(...page.entries.map(({ entry }) => entry.appId));
    after = page.next;
  }
  expect(listed).toEqual([ids[0], ids[2], ids[4]]);
});

test('a tenant whose registry is said to be at version 0, with which nothing is compared, is not there', async () => {
  const tenantId = await addTenant();
  await addApps(tenantId, `${tenantId}-app`);
  expect((await openRegistry().find(tenantId, `${tenantId}-app`, '')).tenant).not.toBeNull();
  await sql('update tenant set registry_version = 0 where tenant_id = $1', tenantId);
  expect((await openRegistry().find(tenantId, `${tenantId}-app`, '')).tenant).toBeNull();
});

test('an entry is remembered once, whatever it is a part of, and anew once it is another', async () => {
  const tenantId = await addTenant();
  const appId = `${tenantId}-app`;
  await addApps(tenantId, appId);
  const [one, other] = [await addServer(tenantId), await addServer(tenantId)];
  const entries = openRegistry();
  const first = await entries.find(tenantId, appId, one);
  const second = await entries.find(tenantId, appId, other);
  expect(first.app).not.toBeNull();
  expect(second.app).toBe(first.app);
  expect(second.tenant).toBe(first.tenant);
  const { etag } = (await entries.read('app', appId, [tenantId])) ?? { etag: '' };
  const app: Registered = { what: 'app', entry: { ...appOf(tenantId, appId), displayName: 'another' } };
  await registryWriter(store.database, options()).replace(app, etag, eventOf(tenantId), null);
  entries.forget(tenantId);
  const changed = await entries.find(tenantId, appId, one);
  expect(changed.app?.displayName).toBe('another');
  expect(changed.resourceServer).toBe(first.resourceServer);
});

test('an entry has one name, and is replaced in the version that was read only', async () => {
  const tenantId = await addTenant();
  const appId = unique('app');
  await addApps(tenantId, appId);
  await expect(addApps(tenantId, appId)).rejects.toThrow(AlreadyExists);
  const writer = registryWriter(store.database, options());
  const { etag = '' } = (await openRegistry().read('app', appId, [tenantId])) ?? {};
  const renamed: Registered = { what: 'app', entry: { ...appOf(tenantId, appId), displayName: 'new' } };
  await writer.replace(renamed, etag, eventOf(tenantId), null);
  await expect(writer.replace(renamed, etag, eventOf(tenantId), null)).rejects.toThrow(EtagStale);
  expect(await openRegistry().read('app', appId, [tenantId])).toMatchObject({ entry: { displayName: 'new' } });
});

async function writePolicy(tenantId: string, version: number, ruleId: string, over: Partial<Rule> = {}): Promise<void> {
  const [rule] = defaultPolicy(tenantId).rules;
  if (!rule) throw new Error('there is no rule');
  const next: Omit<PolicyVersion, 'recordedAt'> = {
    policy: { tenantId, version, rules: [{ ...rule, ruleId, ...over }] },
    recordedBy: 'test',
    reason: '',
  };
  const change = over.holdsForIssuedTokens ? { policies: [tenantId] } : null;
  await policyStore(store.database, options()).write(next, eventOf(tenantId), change);
}

test('what is shown is read once for all who want it, and the follower is as far as that', async () => {
  const tenantId = await addTenant();
  const audience = await addServer(tenantId);
  const follower = await store.follow();
  await writePolicy(tenantId, 1, 'held', { holdsForIssuedTokens: true });
  const reads = countingReads();
  const releases = releaseReader(reads.database, store.keys.mac, follower);
  const ask = () => releases.releaseOf(tenantId, audience, 0, follower.generation);
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, ask));
  expect(first?.revision).toBe(follower.applied.revision);
  expect(follower.releasedAt(tenantId, audience)).toBe(first?.revision);
  const token = { appId: 'nobody', audience, usage: 'test', scopes: ['read'], lineage: [] } as never;
  await Promise.all([first, ...others].map((release) => release?.holds?.capsOf([token])));
  expect(reads.count()).toBe(2);
});

test('what resource servers of several tenants are shown is read together, each by the policy and the apps of its own', async () => {
  const tenantIds = [await addTenant(), await addTenant(), await addTenant()];
  const [strict = '', harsh = '', open = ''] = tenantIds;
  const [{ limits }] = defaultPolicy(open).rules as [Rule];
  for (const tenantId of tenantIds) await addApps(tenantId, `${tenantId}-app`);
  await writePolicy(strict, 1, 'strict', { holdsForIssuedTokens: true });
  await writePolicy(harsh, 1, 'harsh', { holdsForIssuedTokens: true, limits: { ...limits, scopes: ['read'] } });
  const homes = [strict, harsh, open, strict];
  const asked = await Promise.all(homes.map(async (tenantId) => [tenantId, await addServer(tenantId)] as const));
  const follower = await store.follow();
  const reads = countingReads();
  const releases = releaseReader(reads.database, store.keys.mac, follower);
  const shown = await Promise.all(
    asked.map(([tenantId, audience]) => releases.releaseOf(tenantId, audience, 0, follower.generation)),
  );
  expect(reads.count()).toBe(1);
  const capsOf = (ofTenant: string) => {
    const token = { appId: `${ofTenant}-app`, audience: 's', usage: 'test', scopes: ['read'], lineage: [] } as never;
    return Promise.all(shown.map(async ({ holds }) => (await holds?.capsOf([token]))?.[0]?.scopes ?? 'any'));
  };
  const nothing = new Set();
  expect(await capsOf(strict)).toEqual(['any', nothing, 'any', 'any']);
  expect(await capsOf(harsh)).toEqual([nothing, new Set(['read']), 'any', nothing]);
  expect(reads.count()).toBe(3);
});

test('of what a resource server was shown under another policy of its tenant nothing is remembered', async () => {
  const tenantId = await addTenant();
  const [one, other] = [await addServer(tenantId), await addServer(tenantId)];
  await writePolicy(tenantId, 1, 'first', { holdsForIssuedTokens: true });
  const follower = await store.follow();
  const reads = countingReads();
  const releases = releaseReader(reads.database, store.keys.mac, follower);
  const shown = (audience: string, revision: number) =>
    releases.releaseOf(tenantId, audience, revision, follower.generation);
  await Promise.all([shown(one, 0), shown(other, 0)]);
  await Promise.all([shown(one, 0), shown(other, 0)]);
  expect(reads.count()).toBe(1);
  await writePolicy(tenantId, 2, 'second', { holdsForIssuedTokens: true });
  await follower.refresh();
  await shown(one, follower.releasedAt(tenantId, one));
  expect(reads.count()).toBe(2);
  await shown(other, 0);
  expect(reads.count()).toBe(3);
});

test('a policy that was not written under our key counts for nothing only until it is put right', async () => {
  const tenantId = await addTenant();
  const audience = await addServer(tenantId);
  await addApps(tenantId, `${tenantId}-app`);
  await writePolicy(tenantId, 1, 'held', { holdsForIssuedTokens: true });
  const follower = await store.follow();
  const releases = releaseReader(store.database, store.keys.mac, follower);
  const token = { appId: `${tenantId}-app`, audience, usage: 'test', scopes: ['read'], lineage: [] } as never;
  const mayHave = async () => {
    // Whoever changes the table by hand tells of no revision.
    const { holds } = await releases.releaseOf(tenantId, audience, Number.POSITIVE_INFINITY, follower.generation);
    return (await holds?.capsOf([token]))?.[0]?.scopes ?? 'any';
  };
  expect(await mayHave()).toBe('any');
  await sql(`update policy set mac = 'made up ' || mac where tenant_id = $1`, tenantId);
  expect(await mayHave()).toEqual(new Set());
  await sql(`update policy set mac = replace(mac, 'made up ', '') where tenant_id = $1`, tenantId);
  expect(await mayHave()).toBe('any');
});

test('a resource server that was not written under our key is shown nobody, and nothing that is old', async () => {
  const tenantId = await addTenant();
  const audience = await addServer(tenantId, { releasedClaims: ['email'], pairwiseSector: 'sector.example.com' });
  const shownNow = async () => {
    const releases = releaseReader(store.database, store.keys.mac, await store.follow());
    return releases.releaseOf(tenantId, audience, 0, 0);
  };
  const known = { claims: ['email'], pairwiseSector: 'sector.example.com', stalenessMax: Infinity };
  const unknown = { claims: [], pairwiseSector: '', stalenessMax: 0 };
  expect(await shownNow()).toMatchObject(known);
  await sql('update resource_server set mac = $2 where audience = $1', audience, 'made up');
  expect(await shownNow()).toMatchObject(unknown);
  await sql('delete from resource_server where audience = $1', audience);
  expect(await shownNow()).toMatchObject(unknown);
});

const about = {
  clientType: 'web',
  hostingType: 'first_party',
  usage: 'test',
  audience: 's',
  environment: 'production',
} as const;

test('a policy is written once for each version, and one that was not written under our key allows nothing', async () => {
  const tenantId = await addTenant();
  const rulesOf = async (entries = openRegistry()) =>
    (await entries.find(tenantId, '', '')).policy.rules.about(about).rules.map(({ ruleId }) => ruleId);
  expect(await rulesOf()).toEqual(['default']);
  await writePolicy(tenantId, 1, 'first');
  expect(await rulesOf()).toEqual(['first']);
  await expect(writePolicy(tenantId, 1, 'again')).rejects.toThrow(EtagStale);
  await sql('update policy set entry = replace(entry, $2, $3) where tenant_id = $1', tenantId, 'first', 'other');
  expect(await rulesOf()).toEqual(['nothing']);
});

test('what was not written under our key frees no token: neither a policy that holds something against it, nor an app', async () => {
  const tenantId = await addTenant();
  const appId = unique('app');
  await addApps(tenantId, appId);
  const token = { appId, audience: unique('api'), usage: 'test', scopes: ['read'], lineage: [] } as never;
  const capNow = async () => {
    const releases = releaseReader(store.database, store.keys.mac, await store.follow());
    const { holds } = await releases.releaseOf(tenantId, 'nobody', 0, 0);
    const [cap = null] = (await holds?.capsOf([token])) ?? [];
    return cap && [...(cap.scopes ?? ['any'])];
  };
  expect(await capNow()).toBeNull();
  await writePolicy(tenantId, 1, 'usual');
  expect(await capNow()).toBeNull();
  await writePolicy(tenantId, 2, 'held', { holdsForIssuedTokens: true });
  expect(await capNow()).toEqual(['any']);
  await sql('update app set entry = replace(entry, $2, $3) where app_id = $1', appId, 'first_party', 'on_premises');
  expect(await capNow()).toEqual([]);
  await sql('update app set entry = replace(entry, $3, $2) where app_id = $1', appId, 'first_party', 'on_premises');
  expect(await capNow()).toEqual(['any']);
  await sql('update policy set entry = replace(entry, $2, $3) where tenant_id = $1', tenantId, 'true', 'false');
  expect(await capNow()).toEqual([]);
});

test('a database that was put back and comes to the same version with other rules is not taken for what it was', async () => {
  const tenantId = await addTenant();
  await writePolicy(tenantId, 1, 'lost');
  const entries = openRegistry();
  const rules = async () =>
    (await entries.find(tenantId, '', '')).policy.rules.about(about).rules.map(({ ruleId }) => ruleId);
  expect(await rules()).toEqual(['lost']);
  await sql('delete from policy where tenant_id = $1', tenantId);
  await writePolicy(tenantId, 1, 'kept');
  entries.forget(tenantId);
  expect(await rules()).toEqual(['kept']);
});

type Sought = readonly [tenantId: string, appId: string, audience: string];

/** A tenant with an app and a resource server. */
async function openTenant(): Promise<Sought> {
  const tenantId = await addTenant();
  const appId = `${tenantId}-app`;
  await addApps(tenantId, appId);
  return [tenantId, appId, await addServer(tenantId)];
}

const namesOf = ({ tenant, app, resourceServer }: Registration) => [
  tenant?.tenantId,
  app?.appId,
  resourceServer?.audience,
];

test('what many seek is read together; each is told what is of its own tenant, and was written under our key', async () => {
  const [ours, theirs, forged] = [await openTenant(), await openTenant(), await openTenant()];
  await sql('update app set mac = $2 where app_id = $1', forged[1], 'made up');
  const [reads, none] = [countingReads(), undefined];
  const entries = registry(reads.database, store.keys.mac);
  const told: [sought: Sought, names: readonly unknown[]][] = [
    [ours, ours],
    [theirs, theirs],
    [forged, [forged[0], none, forged[2]]],
    [
      [ours[0], theirs[1], theirs[2]],
      [ours[0], none, none],
    ],
    [
      [theirs[0], ours[1], theirs[2]],
      [theirs[0], none, theirs[2]],
    ],
    [
      ['nobody', ours[1], ours[2]],
      [none, none, none],
    ],
  ];
  for (let i = 0; i < 50; i++)
    told.push([
      [ours[0], ours[1], `none ${i}`],
      [ours[0], ours[1], none],
    ]);
  const often = Array.from({ length: 10 }, () => told).flat();
  const found = await Promise.all(often.map(([sought]) => entries.find(...sought)));
  expect(found.map(namesOf)).toEqual(often.map(([, names]) => names));
  expect(reads.count()).toBeLessThan(often.length / 50);
});

test('whose policy can not be read fails alone', async () => {
  const [ours, theirs] = [await openTenant(), await openTenant()];
  for (const [tenantId] of [ours, theirs]) await writePolicy(tenantId, 1, 'first');
  const failing = withReads((query, [tenantId]) => async (statement) => {
    if (statement.name === 'policy' && tenantId === theirs[0]) throw new StoreUnavailable();
    return query(statement);
  });
  const entries = registry(failing, store.keys.mac);
  const outcomes = await Promise.allSettled([ours, theirs, ours].map((sought) => entries.find(...sought)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('what had been read of a tenant before it was forgotten is not remembered', async () => {
  const sought = await openTenant();
  const [tenantId, appId] = sought;
  const [read, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const late = withReads((query) => async (statement) => {
    const rows = await query(statement);
    read.resolve();
    await answered.promise;
    return rows;
  });
  const entries = registry(late, store.keys.mac);
  const before = entries.find(...sought);
  await read.promise;
  const { etag = '' } = (await openRegistry().read('app', appId, [tenantId])) ?? {};
  const renamed: Registered = { what: 'app', entry: { ...appOf(tenantId, appId), displayName: 'new' } };
  await registryWriter(store.database, options()).replace(renamed, etag, eventOf(tenantId), null);
  entries.forget(tenantId);
  answered.resolve();
  expect((await before).app?.displayName).toBe('');
  expect((await entries.find(...sought)).app?.displayName).toBe('new');
});
