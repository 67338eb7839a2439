import {
  AlreadyExists,
  type App,
  type AuditEvent,
  defaultPolicy,
  type EntriesPage,
  EtagStale,
  type PolicyVersion,
  type Registered,
  type ResourceServer,
  type Rule,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { policyStore, registry, registryWriter, releaseReader } from '@touchstone/store-postgres';
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

test('what is shown is read once for all who want it, and the follower is as far as that', async () => {
  const tenantId = await addTenant();
  const audience = await addServer(tenantId);
  const follower = await store.follow();
  await writePolicy(tenantId, 1, 'held', { holdsForIssuedTokens: true });
  let reads = 0;
  const counted: typeof store.database = {
    ...store.database,
    of(tenantIds) {
      reads++;
      return store.database.of(tenantIds);
    },
  };
  const releases = releaseReader(counted, store.keys.mac, follower);
  const ask = () => releases.releaseOf(tenantId, audience, 0, follower.generation);
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, ask));
  expect(first?.revision).toBe(follower.applied.revision);
  expect(follower.releasedAt(tenantId, audience)).toBe(first?.revision);
  const token = { appId: 'nobody', audience, usage: 'test', scopes: ['read'], lineage: [] } as never;
  await Promise.all([first, ...others].map((release) => release?.holds?.capsOf([token])));
  expect(reads).toBe(2);
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
