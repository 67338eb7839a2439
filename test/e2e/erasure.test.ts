import { ClientType, HostingType, TokenMethod } from '@touchstone/contracts';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { bootstrapped, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
let superuser: pg.Client;
beforeAll(async () => {
  world = await openWorld(stack);
  superuser = new pg.Client({ connectionString: stack.adminUrl, options: '-c search_path=touchstone' });
  await superuser.connect();
});
afterAll(() => superuser?.end());

// Each waits for half a minute until what was being issued is over: all of them at once.

/** What may keep the handle of a user: the history, and what tells of it. */
const mayKeep = ['revision', 'revocation', 'watermark', 'outbox', 'erasure'];

/** The tables in a row of which the text stands. */
async function tablesWith(text: string): Promise<string[]> {
  const { rows } = await superuser.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'touchstone'::regnamespace and relkind = 'r' order by 1`,
  );
  const found: string[] = [];
  for (const { name } of rows) {
    const { rowCount } = await superuser.query(`select 1 from ${name} t where t::text like $1 limit 1`, [`%${text}%`]);
    if (rowCount) found.push(name.replace(/_\d+$/, ''));
  }
  return [...new Set(found)];
}

const erase = (userId: string, own = world) =>
  own.operator.revocation.eraseUser({ tenantId: own.tenantId, userId, reason: 'asked for by the user' });
const untilErased = (erasureId: string, own = world) =>
  vi.waitUntil(async () => (await own.operator.revocation.getErasure({ erasureId })).erasedAt, {
    timeout: 90_000,
    interval: 500,
  });

test.concurrent('of a user who is erased nothing is honoured at once, and soon nothing is left but the handle in the history', async () => {
  const userId = unique('user');
  const methods = Object.values(TokenMethod).filter((method) => method !== TokenMethod.UNSPECIFIED);
  const appId = await world.addApp({ methods, refresh: { ttlMax: { seconds: 600n } } });
  const consentId = await world.consent({ appId, userId });
  const issue = (over: object) => world.issue({ appId, userId, consentId, ...over });
  const tokens = await Promise.all(methods.map((method) => issue({ method })));
  const { refreshToken } = await issue({ refreshable: true });
  const principal = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 600n };
  const issued = await world.operator.registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl });
  const app = clientsOf(stack, issued.credential);
  const renewed = await app.issuer.refreshToken({ refreshToken });
  const { rows } = await superuser.query<{ user_handle: string }>(
    'select user_handle from consent where consent_id = $1',
    [consentId],
  );
  const handle = rows[0]?.user_handle as string;
  expect(await tablesWith(handle)).toEqual(expect.arrayContaining(['consent', 'token']));
  const other = await world.issue({ appId, userId: 'eve' });
  const used = await superuser.query<{ id: string }>('select id from token where user_handle = $1', [handle]);
  const ids = used.rows.map(({ id }) => id);
  const usesLeft = async () => (await superuser.query('select from token_use where id = any($1)', [ids])).rowCount;
  for (const { token } of tokens) await world.validate(token);
  await vi.waitUntil(async () => (await usesLeft()) === tokens.length, { timeout: 15_000, interval: 200 });

  const { erasureId } = await erase(userId);
  // As of those that were being derived, or issued under a consent that was just recorded, while all was revoked.
  for (const which of ['lineage', 'consent_id']) {
    const late = `update token set sequence = nextval($2) where user_handle = $1 and ${which} is not null`;
    expect((await superuser.query(late, [handle, 'token_sequence'])).rowCount).toBeGreaterThan(0);
  }
  for (const { token } of [...tokens, renewed]) expect(await world.validate(token)).toMatchObject({ active: false });
  expect(await outcomeOf(app.issuer.refreshToken({ refreshToken: renewed.refreshToken }))).toBe(
    'FailedPrecondition TOKEN_NOT_HONOURED',
  );
  expect(await outcomeOf(issue({}))).toMatch(/CONSENT_(ENDED|UNKNOWN)$/);

  await untilErased(erasureId);
  const left = await tablesWith(handle);
  expect(mayKeep).toEqual(expect.arrayContaining(left));
  expect(await usesLeft()).toBe(0);
  expect(await tablesWith(userId)).toEqual([]);
  expect(mayKeep).toEqual(expect.arrayContaining(await tablesWith(consentId)));
  for (const { token } of [...tokens, renewed]) expect(await world.validate(token)).toMatchObject({ active: false });
  expect(await outcomeOf(issue({}))).toBe('NotFound CONSENT_UNKNOWN');
  expect(await world.validate(other.token)).toMatchObject({ active: true });
  // Who comes back begins anew.
  const { token } = await world.issue({ appId, userId });
  expect(await world.validate(token)).toMatchObject({ active: true, subject: userId });
}, 120_000);

test.concurrent('what a user gets who comes back before the rows are gone is not taken along', async () => {
  const userId = unique('user');
  const { erasureId } = await erase(userId);
  const consentId = await world.consent({ userId });
  const { token } = await world.issue({ userId, consentId });
  await untilErased(erasureId);
  expect(await world.validate(token)).toMatchObject({ active: true, subject: userId });
  await world.issue({ userId, consentId });
}, 120_000);

test.concurrent('what a user got while the clock was ahead goes, too', async () => {
  const userId = unique('user');
  // In a tenant of its own: its token is the last one.
  const own = await openWorld(stack);
  const { tenantId } = own;
  await own.issue({ userId });
  const { rows } = await superuser.query<{ user_handle: string }>(
    `update token set issued_at = issued_at + interval '1 hour'
      where tenant_id = $1 and user_handle is not null
        and sequence = (select max(sequence) from token where tenant_id = $1) returning user_handle`,
    [tenantId],
  );
  expect(rows).toHaveLength(1);
  const handle = rows[0]?.user_handle as string;
  const { erasureId } = await erase(userId, own);
  await untilErased(erasureId, own);
  expect(await tablesWith(handle)).not.toContain('token');
}, 120_000);

test.concurrent('an erasure is told to those who may ask for one in its tenant', async () => {
  const other = await openWorld(stack);
  const { erasureId } = await erase('nobody');
  expect(await outcomeOf(other.operator.revocation.getErasure({ erasureId }))).toBe('NotFound ERASURE_UNKNOWN');
  expect(await outcomeOf(erase('ada', { ...other, operator: world.operator }))).toBe(
    'PermissionDenied CALLER_NOT_ALLOWED',
  );
  await untilErased(erasureId);
}, 120_000);

test.concurrent('of a tenant that is erased nothing is left but names, which nobody else can have, and handles that nobody can make again', async () => {
  const own = await openWorld(stack);
  const { tenantId } = own;
  const eraseTenant = () => own.operator.revocation.eraseTenant({ tenantId, reason: 'the contract has ended' });
  const consentId = await own.consent();
  const methods = [TokenMethod.REFERENCE, TokenMethod.SIGNED];
  const appId = await own.addApp({ methods });
  const { token } = await own.issue({ appId, method: TokenMethod.SIGNED });
  await own.issue({ consentId });
  await own.operator.registry.updatePolicy({ policy: { tenantId, rules: [{ ruleId: 'some', liveTokensMax: 5 }] } });
  await own.issue();
  expect(await outcomeOf(eraseTenant())).toBe('FailedPrecondition NOT_DISABLED');
  const operator = await bootstrapped(stack, [tenantId, world.tenantId]);
  await operator.registry.disableTenant({ tenantId });

  const { erasureId } = await operator.revocation.eraseTenant({ tenantId, reason: 'the contract has ended' });
  await vi.waitUntil(async () => (await operator.revocation.getErasure({ erasureId })).erasedAt, {
    timeout: 90_000,
    interval: 500,
  });
  const left = await tablesWith(tenantId);
  // A credential that was made afterwards is of the one who asks.
  expect([...mayKeep, 'bootstrap', 'tenant', 'app', 'resource_server', 'token']).toEqual(expect.arrayContaining(left));
  for (const [text, ...names] of [[appId, 'app'], [own.audience, 'resource_server'], [consentId]] as const) {
    expect([...mayKeep, ...names]).toEqual(expect.arrayContaining(await tablesWith(text)));
  }
  for (const table of ['tenant', 'app', 'resource_server']) {
    const { rows } = await superuser.query(`select distinct entry, mac from ${table} where tenant_id = $1`, [tenantId]);
    expect([table, rows]).toEqual([table, [{ entry: '', mac: '' }]]);
  }
  for (const table of ['tenant_key', 'signing_key', 'policy', 'consent']) {
    const found = await superuser.query(`select 1 from ${table} where tenant_id = $1`, [tenantId]);
    expect([table, found.rowCount]).toEqual([table, 0]);
  }
  expect(await outcomeOf(operator.registry.createTenant({ tenant: { tenantId } }))).toBe(
    'AlreadyExists ALREADY_EXISTS',
  );
  // Who verifies by itself what was issued for its audience would take another tenant's tokens for its own tenant's.
  const { registry } = operator;
  const resourceServer = { audience: own.audience, tenantId: world.tenantId, scopes: [{ name: 'orders:read' }] };
  expect(await outcomeOf(registry.createResourceServer({ resourceServer }))).toBe('AlreadyExists ALREADY_EXISTS');
  const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
  const app = { appId, tenantId: world.tenantId, ...kind };
  expect(await outcomeOf(registry.createApp({ app }))).toBe('AlreadyExists ALREADY_EXISTS');
  expect(await outcomeOf(registry.getApp({ appId }))).toBe('NotFound APP_UNKNOWN');
  expect(await outcomeOf(registry.getResourceServer({ audience: own.audience }))).toBe('NotFound AUDIENCE_UNKNOWN');
  expect((await registry.listApps({ tenantId })).apps).toEqual([]);
  expect((await registry.listResourceServers({ tenantId })).resourceServers).toEqual([]);
  expect(await outcomeOf(registry.disableApp({ appId }))).toBe('NotFound APP_UNKNOWN');
  expect(token).toMatch(/^eyJ/);
}, 120_000);
