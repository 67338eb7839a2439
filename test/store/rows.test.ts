import { randomBytes } from 'node:crypto';
import {
  AlreadyExists,
  type App,
  type AuditEvent,
  defaultPolicy,
  type NewTokenRecord,
  type ResourceServer,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { makeLogins, type ServiceRole } from '@touchstone/local-stack';
import {
  consentStore,
  type Database,
  dataKeyStore,
  erasureStore,
  openDatabase,
  policyStore,
  publicKeyReader,
  recordReader,
  registry,
  registryWriter,
  releaseReader,
  revocationReader,
  revocationWriter,
  signingKeyStore,
  tenantKeyReader,
  tokenWriter,
} from '@touchstone/store-postgres';
import { DataKeys, fileKeyEncryption, signingKeyMaker, tenantKeyMaker } from '@touchstone/token-methods';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { actor, asRead, issuedEvent, mint, wanted } from './minted.ts';
import { revokeOne } from './revoke.ts';

const cleanup = new AsyncDisposableStack();
const encryption = fileKeyEncryption(randomBytes(32));
let store: TestDatabase;
/** A database as each of the services has it, by a login with no more than its role. */
let as: Readonly<Record<ServiceRole, Database>>;
let ours: Tenant;
let theirs: Tenant;

beforeAll(async () => {
  store = cleanup.use(await openTestDatabase());
  const urls = await makeLogins(store.postgres.adminUrl);
  const open = (role: ServiceRole) =>
    cleanup.use(openDatabase({ url: urls[role], applicationName: role, connectionsMax: 1 }));
  as = {
    issuer: open('issuer'),
    validator: open('validator'),
    revocation: open('revocation'),
    upkeep: open('upkeep'),
    keys: open('keys'),
  };
  [ours, theirs] = [await openTenant('ours'), await openTenant('theirs')];
});
afterAll(() => cleanup[Symbol.asyncDispose]());

/** A tenant that has one of everything, by the services' own logins. */
interface Tenant {
  readonly id: string;
  readonly appId: string;
  readonly audience: string;
  readonly consentId: string;
  readonly keyId: string;
  readonly revocationId: string;
  readonly erasureId: string;
  readonly token: NewTokenRecord;
  readonly credential: NewTokenRecord;
}

async function openTenant(id: string): Promise<Tenant> {
  const { mac } = store.keys;
  const stored = { mac, codec: auditCodec, instanceId: 'test', chain: store.chain };
  const dataKeys = new DataKeys(dataKeyStore(as.issuer), [encryption]);
  const [appId, audience, consentId] = [`app of ${id}`, `audience of ${id}`, `consent of ${id}`];
  const entries = registryWriter(as.issuer, stored);
  const tenant = { tenantId: id, displayName: '', tokenTtlMax: 3_600, tokensPerMinuteMax: null };
  const tenantKey = await tenantKeyMaker(dataKeys).create(id);
  const entry = { ...tenant, firstPartyWithoutConsent: true };
  await entries.create({ what: 'tenant', entry }, eventOf(id), tenantKey);
  await entries.create({ what: 'app', entry: appOf(id, appId) }, eventOf(id), null);
  await entries.create({ what: 'resource_server', entry: serverOf(id, audience) }, eventOf(id), null);
  const policy = { ...defaultPolicy(id), version: 1 };
  await policyStore(as.issuer, stored).write({ policy, recordedBy: '', reason: '' }, eventOf(id), null);
  const { dataKeyId, wrapped } = tenantKey;
  await consentStore(as.issuer, stored).record(
    {
      ...{ consentId, tenantId: id, appId, userHandle: 'handle', idempotencyKey: 'once', ttl: 3_600 },
      ...{ grants: [{ audience, scopes: ['read'] }], key: { dataKeyId, wrapped } },
    },
    eventOf(id),
  );
  const pair = await signingKeyMaker(dataKeys).makePair(id, 'EdDSA');
  const signingKeys = signingKeyStore(as.issuer, { ...stored, isDead: () => false });
  const { active } = await signingKeys.rotate({ tenantId: id, pair }, () => eventOf(id));
  const [token, credential, revoked] = [
    await issue(id),
    await issue(id, { tokenClass: 'credential' }),
    await issue(id),
  ];
  const revocations = revocationWriter(as.revocation, stored);
  const revocation = await revokeOne({ revocations }, revoked, {
    revocationId: `revocation of ${id}`,
    reach: 'issued',
  });
  const { revocationId } = revocation;
  const erasureId = `erasure of ${id}`;
  const erasures = erasureStore(as.revocation, 'test', auditCodec);
  await erasures.request({ erasureId, tenantId: id, userHandle: 'handle', revocation }, eventOf(id));
  return { id, appId, audience, consentId, keyId: active.keyId, revocationId, erasureId, token, credential };
}

async function issue(tenantId: string, over: Partial<NewTokenRecord> = {}): Promise<NewTokenRecord> {
  const tokens = tokenWriter(as.issuer, 'test', auditCodec);
  const record = await mint({ ...store, tokens }, { tenantId, ...over });
  expect(await tokens.insert(record, issuedEvent(record))).toBe(true);
  return record;
}

const eventOf = (tenantId: string): AuditEvent => ({
  tenantId,
  actor,
  act: { type: 'registry_changed', what: 'app', id: '', change: 'created', reason: '' },
});

const appOf = (tenantId: string, appId: string): App => ({
  ...{ appId, tenantId, displayName: '', clientType: 'web', hostingType: 'first_party', grants: [] },
  ...{ methods: ['reference'], refresh: null, environment: 'production', tokensPerMinuteMax: null, tokenTtlMax: null },
});

const serverOf = (tenantId: string, audience: string): ResourceServer => ({
  ...{ audience, tenantId, displayName: '', releasedClaims: ['email'], pairwiseSector: null, encryptionJwk: null },
  ...{ scopes: [{ name: 'read', description: '', sensitivity: 'normal', tokenTtlMax: null }] },
  ...{ exchanges: [], owners: [], tokenTtlMax: null },
});

/** What the server says to a statement: its rows, or the SQLSTATE. */
const said = (database: Pick<Database, 'query'>, text: string, ...values: unknown[]) =>
  database.query({ text, values }).catch((error) => error.sqlState ?? error.code);
const denied = '42501';

/** The tables that are of tenants, and which of the services reads each. */
const readBy: Readonly<Record<string, readonly ServiceRole[]>> = {
  tenant: ['issuer', 'revocation'],
  app: ['issuer', 'validator', 'revocation'],
  resource_server: ['issuer', 'validator', 'revocation'],
  policy: ['issuer', 'validator'],
  consent: ['issuer', 'revocation'],
  consent_key: ['issuer', 'revocation'],
  signing_key: ['issuer', 'revocation'],
  tenant_key: ['issuer', 'validator', 'revocation'],
  revocation: ['issuer', 'revocation'],
  erasure: ['revocation'],
};
const ownerOf = (table: string): string =>
  table === 'consent_key' ? `replace(consent_id, 'consent of ', '')` : 'tenant_id';
const reads = Object.entries(readBy).flatMap(([table, roles]) => roles.map((role) => [role, table] as const));

describe.each(reads)('%s, of the table %s,', (role, table) => {
  const owners = `select distinct ${ownerOf(table)} from ${table}`;

  test('sees the rows of the tenants that it names, and of no other', async () => {
    expect(await said(as[role].of(['ours']), owners)).toEqual([['ours']]);
    expect(await said(as[role].of(['theirs', 'ours']), `${owners} order by 1`)).toEqual([['ours'], ['theirs']]);
    expect(await said(as[role].of([]), owners)).toEqual([]);
  });

  test('sees none where it names no tenant, also after it has named one', async () => {
    await as[role].of(['ours']).query({ text: owners });
    expect(await said(as[role], owners)).toEqual([]);
  });

  test('sees none by naming all, but for the keys that issuers publish', async () => {
    const isPublished = table === 'signing_key' && role === 'issuer';
    expect(await said(as[role].of('*'), owners)).toHaveLength(isPublished ? 2 : 0);
  });
});

test('nothing of another tenant is written', async () => {
  const write = (role: ServiceRole, text: string) =>
    as[role].of(['ours']).transaction((query) => said({ query }, `${text} returning 1`));
  for (const [role, text] of [
    ['issuer', `update tenant set registry_version = 0 where tenant_id = 'theirs'`],
    ['issuer', `update app set entry = '' where tenant_id = 'theirs'`],
    ['issuer', `update resource_server set disabled_revision = 1 where tenant_id = 'theirs'`],
    ['issuer', `update signing_key set state = 'retired' where tenant_id = 'theirs'`],
    ['revocation', `update consent set disabled_revision = 1 where consent_id = 'consent of theirs'`],
    ['revocation', `delete from consent_key where consent_id = 'consent of theirs'`],
  ] as const) {
    expect([text, await write(role, text)]).toEqual([text, []]);
  }
  for (const [role, text] of [
    ['issuer', `insert into app (app_id, tenant_id, entry, mac) values ('new', 'theirs', '', '')`],
    ['issuer', `insert into policy (tenant_id, version, entry, mac) values ('theirs', 2, '', '')`],
    ['revocation', `insert into erasure (erasure_id, tenant_id) values ('new', 'theirs')`],
  ] as const) {
    expect([text, await write(role, text)]).toEqual([text, denied]);
  }
});

const services = ['issuer', 'validator', 'revocation'] as const;
const recordsOf = (day: number) => `select token_${day}_records($1::text[], $2::uuid[])`;

describe.each(services)('the login of the %s', (role) => {
  test('reads no table of tokens', async () => {
    for (const table of ['token', `token_${ours.token.key.partition}`]) {
      expect(await said(as[role], `select id from ${table}`)).toBe(denied);
    }
  });

  test('gets a record by its tenant and its id together, and without a tenant credentials alone', async () => {
    const { partition } = ours.token.key;
    expect(theirs.token.key.partition).toBe(partition);
    const get = async (...pairs: readonly (readonly [tenantId: string | null, record: NewTokenRecord])[]) => {
      const values = [pairs.map(([tenantId]) => tenantId), pairs.map(([, { key }]) => key.key)];
      const rows = (await as[role].query({ text: recordsOf(partition), values })) as [string[]][];
      return rows.map(([[, id]]) => id?.replaceAll('-', ''));
    };
    expect(await get(['ours', ours.token])).toEqual([ours.token.key.key]);
    expect(await get(['ours', theirs.token])).toEqual([]);
    expect(await get([null, theirs.token])).toEqual([]);
    expect(await get(['ours', theirs.token], ['theirs', ours.token])).toEqual([]);
    expect(await get([null, theirs.credential])).toEqual([theirs.credential.key.key]);
    expect(await get(['ours', theirs.credential])).toEqual([]);
    expect(await get(['', theirs.token], ['ours', ours.token])).toEqual([ours.token.key.key]);
  });
});

test('of what a gathered read brings each gets what it wanted for its own tenant', async () => {
  const other = { key: theirs.token.key, tenantIds: ['ours'] };
  const anybodys = [theirs.token, theirs.credential].map(({ key }) => ({ key, tenantIds: null }));
  const batch = [other, wanted(theirs.token), wanted(ours.token), ...anybodys];
  const { records } = await recordReader(as.validator).read(batch, 0);
  const [token, credential] = [asRead(theirs.token), asRead(theirs.credential)];
  expect(records).toEqual([null, token, asRead(ours.token), null, credential]);
});

test('a record that is written while a gathered read goes on is not in its snapshot', async () => {
  const late = await mint(store, { tenantId: 'ours' });
  const text = `${recordsOf(late.key.partition)} from pg_sleep(3)`;
  const reading = as.validator.query({ text, values: [['ours'], [late.key.key]] });
  await expect
    .poll(() => said(store.database, `select count(*) from pg_stat_activity where wait_event = 'PgSleep'`))
    .toEqual([[1]]);
  await store.tokens.insert(late, issuedEvent(late));
  expect(await reading).toEqual([]);
  expect((await recordReader(as.validator).read([wanted(late)], 0)).records).toEqual([asRead(late)]);
});

test("an act in one tenant finds nothing by another's ids", async () => {
  const { mac } = store.keys;
  const stored = { mac, codec: auditCodec, instanceId: 'test' };
  const entries = registry(as.issuer, mac);
  const consents = consentStore(as.issuer, stored);
  const releases = releaseReader(as.validator, mac, await store.follow());
  const find = (tenantId: string) =>
    Promise.all([
      entries.read('tenant', theirs.id, [tenantId]),
      entries.read('app', theirs.appId, [tenantId]),
      entries.read('resource_server', theirs.audience, [tenantId]),
      entries.find(tenantId, theirs.appId, theirs.audience).then(({ app }) => app),
      consents.find(theirs.consentId, [tenantId]),
      consents.findWithKey(theirs.consentId, tenantId),
      consents.findByKey(tenantId, 'once').then((one) => one?.consent.tenantId === theirs.id),
      consents
        .list(tenantId, 'handle', '', 9)
        .then(({ consents: all }) => all.find((one) => one.consent.tenantId === theirs.id)),
      publicKeyReader(as.revocation, mac).findPublic(theirs.keyId, [tenantId]),
      revocationReader(as.revocation, store.chain).find(theirs.revocationId, [tenantId]),
      erasureStore(as.revocation, 'test', auditCodec).find(theirs.erasureId, [tenantId]),
      Promise.resolve(releases.releaseOf(tenantId, theirs.audience, 0, 0)).then(({ claims }) => claims[0]),
    ]);
  expect((await find('theirs')).map(Boolean)).not.toContain(false);
  expect((await find('ours')).map(Boolean)).not.toContain(true);
  expect(await tenantKeyReader(as.validator).find('theirs')).not.toBeNull();
});

test('consents that are read together are each shown to their own tenant alone', async () => {
  const consents = consentStore(as.issuer, { mac: store.keys.mac, codec: auditCodec, instanceId: 'test' });
  const asked = [
    [theirs.consentId, 'theirs'],
    [theirs.consentId, 'ours'],
    ['con_none', 'theirs'],
    [theirs.consentId, 'theirs'],
  ] as const;
  const found = await Promise.all(asked.map(([consentId, tenantId]) => consents.findWithKey(consentId, tenantId)));
  expect(found.map((one) => one?.consent.consentId ?? null)).toEqual([theirs.consentId, null, null, theirs.consentId]);
});

test('what decides about tokens, read together, is told to its own tenant alone', async () => {
  const entries = registry(as.issuer, store.keys.mac);
  const asked = [
    ['theirs', theirs.appId, theirs.audience],
    ['ours', theirs.appId, theirs.audience],
    ['ours', ours.appId, theirs.audience],
    ['ours', ours.appId, ours.audience],
  ] as const;
  const found = await Promise.all(asked.map(([tenantId, appId, audience]) => entries.find(tenantId, appId, audience)));
  expect(found.map(({ app, resourceServer }) => [app?.appId, resourceServer?.audience])).toEqual([
    [theirs.appId, theirs.audience],
    [undefined, undefined],
    [ours.appId, undefined],
    [ours.appId, ours.audience],
  ]);
});

test("no token stands on another tenant's consent", async () => {
  const tokens = tokenWriter(as.issuer, 'test', auditCodec);
  const record = await mint(store, { tenantId: 'ours', consentId: theirs.consentId });
  expect(await tokens.insert(record, issuedEvent(record))).toBe(false);
  const own = { ...record, consentId: ours.consentId };
  expect(await tokens.insert(own, issuedEvent(own))).toBe(true);
});

test('what tokens of several tenants are compared with, and counted by, is of the tenants that are asked after', async () => {
  const ask = (text: string, ...values: unknown[]) => as.issuer.query({ text, values });
  expect(await ask('select tenant_id from registry_versions($1)', ['ours'])).toEqual([['ours']]);
  const pairs = [
    ['ours', 'theirs'],
    [theirs.consentId, theirs.consentId],
  ];
  expect(await ask('select * from consents_given($1, $2)', ...pairs)).toEqual([['theirs', theirs.consentId]]);
  const limit = { at: 0, app_id: 'app', audience: 'orders', usage: 'test', scopes: [], ttl_max: 0, methods: [] };
  const counted = await ask('select tokens from tokens_beyond($1, $2)', 'theirs', JSON.stringify([limit]));
  const text = `select count(*) from token where tenant_id = 'theirs' and token_class = 'token'`;
  expect(counted).toEqual(await store.database.query({ text }));
});

test('what is revoked in one tenant ends nothing of another, whatever it names', async () => {
  const stored = { chain: store.chain, codec: auditCodec, instanceId: 'test' };
  const revocations = revocationWriter(as.issuer, stored);
  const target = { kind: 'app', key: theirs.appId } as const;
  const disables = { what: 'app', id: theirs.appId } as const;
  const over = { revocationId: 'mistaken', target, disables, token: null };
  await revokeOne({ revocations }, ours.token, over);
  const found = await registry(as.issuer, store.keys.mac).read('app', theirs.appId, ['theirs']);
  expect(found?.disabled).toBe(false);
});

test('what revokes the tokens of all tenants is seen by nobody who acts for a tenant', async () => {
  const revocations = revocationWriter(as.revocation, { chain: store.chain, codec: auditCodec, instanceId: 'test' });
  const over = { revocationId: 'of all', tenantId: null, target: { kind: 'all', key: '' }, token: null } as const;
  await revokeOne({ revocations }, ours.token, over);
  const reader = revocationReader(as.revocation, store.chain);
  expect(await reader.find('of all', ['ours', 'theirs'])).toBeNull();
  expect(await reader.find('of all', ['ours', 'touchstone'])).toMatchObject({ tenantId: null });
});

test('an audience is one in all tenants, also for who can see its own alone', async () => {
  const entries = registryWriter(as.issuer, { ...store, mac: store.keys.mac, codec: auditCodec, instanceId: 'test' });
  const entry = serverOf('ours', theirs.audience);
  await expect(entries.create({ what: 'resource_server', entry }, eventOf('ours'), null)).rejects.toThrow(
    AlreadyExists,
  );
});

test('upkeep works on all tenants', async () => {
  expect(await said(as.upkeep, 'select distinct tenant_id from consent order by 1')).toEqual([['ours'], ['theirs']]);
});

test('what is shown, read together, is shown of its own tenant alone', async () => {
  const follower = await store.follow();
  const releases = releaseReader(as.validator, store.keys.mac, follower);
  const asked = [
    ['theirs', theirs.audience],
    ['ours', theirs.audience],
    ['theirs', ours.audience],
    ['ours', ours.audience],
  ] as const;
  const shown = await Promise.all(
    asked.map(([tenantId, audience]) => releases.releaseOf(tenantId, audience, 0, follower.generation)),
  );
  expect(shown.map(({ claims }) => claims)).toEqual([['email'], [], [], ['email']]);
});
