import { expect, test } from 'vitest';
import {
  AppUnknown,
  AudienceUnknown,
  CallerNotAllowed,
  CredentialNotAllowed,
  Disabled,
  InvalidField,
  StoreUnavailable,
  TenantUnknown,
  TtlTooLong,
} from '../errors.ts';
import { platformTtlMax } from '../register/registration.ts';
import { Watermarks } from '../revisions/watermarks.ts';
import { actOf } from '../test-act.ts';
import { methods } from '../test-method.ts';
import { handles, TestRegistry } from '../test-registry.ts';
import { TestTokens, TestTrail } from '../test-writers.ts';
import { idOf } from '../tokens/token-record.ts';
import type { Caller } from './act.ts';
import { type CredentialCommand, issueCredential, type PrincipalRequest } from './issue-credential.ts';
import { touchstoneAudience } from './rights.ts';

const maker: Partial<Caller> = {
  kind: 'operator',
  name: 'ops',
  scopes: ['credentials:issue', 'tokens:revoke', 'tokens:revoke_all'],
  credentialExpiresAt: 61_000,
};
const app: PrincipalRequest = { kind: 'app', name: 'a1' };
const resourceServer: PrincipalRequest = { kind: 'resource_server', name: 's1' };
const identity: PrincipalRequest = { kind: 'identity_service', name: 'id', tenantIds: ['t1'] };
const operator: PrincipalRequest = { kind: 'operator', name: 'other', tenantIds: ['t1'] };
const auditor: PrincipalRequest = { kind: 'auditor', name: 'aud', tenantIds: ['t1'] };

const usual: Readonly<Record<PrincipalRequest['kind'], readonly string[]>> = {
  app: ['tokens:issue:self'],
  resource_server: ['tokens:validate'],
  identity_service: ['tokens:issue'],
  operator: ['tokens:revoke'],
  auditor: ['audit:read'],
};

function open() {
  const [registry, tokens, audit] = [new TestRegistry(), new TestTokens(), new TestTrail()];
  const watermarks = new Watermarks();
  const make = (principal: PrincipalRequest, over: Partial<CredentialCommand> = {}, caller = maker) =>
    issueCredential(
      actOf(caller),
      { principal, scopes: usual[principal.kind], ttl: 60, ...over },
      { registry, methods, handles, tokens, audit, follower: { watermarks } },
    );
  return { make, registry, watermarks, tokens, inserted: tokens.inserted, refusals: audit.recorded };
}

test.each([app, resourceServer, identity, operator, auditor])('a credential of $kind', async (principal) => {
  const { make, inserted } = open();
  const { credential, tokenId, expiresAt } = await make(principal);
  const [stored] = inserted;
  expect(stored?.record).toMatchObject({
    tokenClass: 'credential',
    tenantId: 't1',
    appId: principal.kind === 'app' ? 'a1' : null,
    userHandle: `handle of t1 ${principal.kind}:${principal.name}`,
    audience: touchstoneAudience,
    scopes: usual[principal.kind],
    policyVersion: 0,
    expiresAt: 61_000,
  });
  expect(stored?.event.act).toMatchObject({ credentialFor: `${principal.kind}:${principal.name}` });
  expect([stored && idOf(stored.record), expiresAt]).toEqual([tokenId, 61_000]);
  const found = methods.locate(credential);
  const opened = stored && (await found?.method.open(found.located, stored.record));
  expect(opened?.principal).toEqual({ kind: principal.kind, name: principal.name, tenantIds: ['t1'] });
});

test('one that acts in several tenants is at home in none of them', async () => {
  const { make, inserted } = open();
  await make({ ...auditor, tenantIds: ['t1', 't2'] }, {}, { ...maker, tenantIds: ['t1', 't2'] });
  expect(inserted[0]?.record.tenantId).toBe('touchstone');
});

test('who may revoke everything is at home in no tenant, also with what it is refused', async () => {
  const { make, refusals } = open();
  for (const scopes of [['tokens:revoke'], ['tokens:revoke', 'tokens:revoke_all']]) {
    await expect(make(operator, {}, { ...maker, scopes })).rejects.toThrow(CallerNotAllowed);
  }
  expect(refusals.map(({ tenantId }) => tenantId)).toEqual(['t1', 'touchstone']);
});

test.each([
  ['whose maker is no operator', operator, {}, { ...maker, kind: 'identity_service' as const }, CallerNotAllowed],
  ['whose maker lacks the scope', operator, {}, { ...maker, scopes: ['tokens:revoke'] }, CallerNotAllowed],
  ['in a tenant that its maker is not in', { ...auditor, tenantIds: ['t1', 't2'] }, {}, maker, CallerNotAllowed],
  ["of another tenant's app", { kind: 'app', name: 'a2' }, {}, maker, AppUnknown],
  ["of another tenant's resource server", { kind: 'resource_server', name: 's2' }, {}, maker, AudienceUnknown],
  [
    'in a tenant that is not there',
    { ...identity, tenantIds: ['t3'] },
    {},
    { ...maker, tenantIds: ['t3'] },
    TenantUnknown,
  ],
  ['without a scope', auditor, { scopes: [] }, maker, InvalidField],
  ['with a scope of another kind', auditor, { scopes: ['audit:read', 'tokens:revoke'] }, maker, CredentialNotAllowed],
  ['with a scope that its maker lacks', operator, { scopes: ['registry:write'] }, maker, CredentialNotAllowed],
  ['that may revoke everything', operator, { scopes: ['tokens:revoke_all'] }, maker, CredentialNotAllowed],
  ['for its maker', { ...operator, name: 'ops' }, {}, maker, CredentialNotAllowed],
  ['that outlives its maker', operator, { ttl: 61 }, maker, CredentialNotAllowed],
  ['of an auditor that outlives its maker', auditor, { ttl: 61 }, maker, CredentialNotAllowed],
  ['that outlives any token', app, { ttl: platformTtlMax + 1 }, maker, TtlTooLong],
] satisfies [string, PrincipalRequest, Partial<CredentialCommand>, Partial<Caller>, new (...args: never[]) => Error][])(
  'none is made %s',
  async (_, principal, over, caller, failure) => {
    const { make, inserted, refusals } = open();
    await expect(make(principal, over, caller)).rejects.toThrow(failure);
    expect(inserted).toEqual([]);
    expect(refusals.map(({ act }) => act.type)).toEqual(['issue_refused']);
  },
);

test.each([
  ['app a1', app],
  ['resource_server s1', resourceServer],
  ['tenant t1', identity],
])('none is made for what is disabled: %s', async (entry, principal) => {
  const { make, registry } = open();
  registry.owned.set(entry, { tenantId: 't1', disabled: true });
  await expect(make(principal)).rejects.toThrow(Disabled);
});

test.each([operator, auditor])(
  'none of $kind is made for a tenant that has ended: it would be dead',
  async (principal) => {
    const { make, watermarks, inserted } = open();
    const ends = { revocationId: 'r1', ceiling: null, sparedTokenId: null, coversUntil: null } as const;
    watermarks.raise({ ...ends, kind: 'tenant', key: 't1', tokenClass: 'token' });
    await expect(make(principal)).rejects.toThrow(Disabled);
    expect(inserted).toEqual([]);
    await make(
      { ...principal, tenantIds: ['t1', 't2'] } as PrincipalRequest,
      {},
      { ...maker, tenantIds: ['t1', 't2'] },
    );
  },
);

test('one that the database does not take is to be asked for again', async () => {
  const { make, tokens } = open();
  tokens.version = 1;
  await expect(make(app)).rejects.toThrow(StoreUnavailable);
  expect(tokens.inserted).toEqual([]);
});

test('what serves a tenant may outlive its maker, up to the longest life', async () => {
  const { make, inserted } = open();
  await make(app, { ttl: platformTtlMax });
  expect(inserted[0]?.record.expiresAt).toBe(1_000 + platformTtlMax * 1_000);
});
