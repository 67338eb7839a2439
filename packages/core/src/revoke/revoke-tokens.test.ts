import { expect, test } from 'vitest';
import type { Caller } from '../access/act.ts';
import { AppUnknown, CallerNotAllowed, ConsentUnknown, SigningKeyUnknown, TenantUnknown } from '../errors.ts';
import { appUserKey } from '../revisions/revision.ts';
import { actOf } from '../test-act.ts';
import { consentOf, TestConsents } from '../test-consents.ts';
import { handles, publicKeyOf, TestRegistry } from '../test-registry.ts';
import { TestRevocations } from '../test-writers.ts';
import { type RevocationTarget, type RevokeTokensCommand, revokeTokens } from './revoke-tokens.ts';

const operator: Partial<Caller> = { kind: 'operator', name: 'ops', scopes: ['tokens:revoke'] };
const ownerOfAll: Partial<Caller> = { ...operator, scopes: ['tokens:revoke_all'] };
const identity: Partial<Caller> = { kind: 'identity_service', name: 'id', scopes: ['tokens:issue'] };

const user: RevocationTarget = { kind: 'user', tenantId: 't1', userId: 'ada' };
const appUser: RevocationTarget = { kind: 'app_user', appId: 'a1', userId: 'ada' };
const app: RevocationTarget = { kind: 'app', appId: 'a1' };
const tenant: RevocationTarget = { kind: 'tenant', tenantId: 't1' };
const all: RevocationTarget = { kind: 'all' };

const consent: RevocationTarget = { kind: 'consent', consentId: 'con_1' };
const signingKey: RevocationTarget = { kind: 'signing_key', signingKeyId: 'k1' };
const publicKey = publicKeyOf('k1');

function open() {
  const revocations = new TestRevocations();
  const ports = {
    registry: new TestRegistry(),
    handles,
    revocations,
    consents: new TestConsents([consentOf('con_1', 't1'), consentOf('con_2', 't2')]),
    signingKeys: { findPublic: async (keyId: string) => (keyId === 'k1' ? publicKey : null) },
  };
  const revoke = (target: RevocationTarget, caller = operator, over: Partial<RevokeTokensCommand> = {}) =>
    revokeTokens(
      actOf(caller),
      { target, reason: 'why', idempotencyKey: 'key', includeCredentials: false, ...over },
      ports,
    );
  return { revoke, intents: revocations.intents };
}

test.each([
  [user, operator, { kind: 'user', key: 'handle of t1 ada' }, 't1'],
  [appUser, operator, { kind: 'app_user', key: appUserKey('a1', 'handle of t1 ada') }, 't1'],
  [app, operator, { kind: 'app', key: 'a1' }, 't1'],
  [tenant, operator, { kind: 'tenant', key: 't1' }, 't1'],
  [all, ownerOfAll, { kind: 'all', key: '' }, null],
] as const)('%o is cut as far as it has been issued, without credentials', async (target, caller, cut, tenantId) => {
  const { revoke, intents } = open();
  await revoke(target, caller);
  expect(intents).toMatchObject([
    {
      target: cut,
      tenantId,
      cuts: [{ ...cut, tokenClass: 'token' }],
      reach: 'issued',
      disables: null,
      includeCredentials: false,
      sparedTokenId: null,
      reason: 'why',
      idempotencyKey: 'key',
    },
  ]);
  expect(intents[0]?.cuts).toHaveLength(1);
});

test.each([
  [consent, operator, 'con_1'],
  [consent, { ...identity, scopes: ['consents:write'] }, 'con_1'],
  [signingKey, operator, 'k1'],
] as const)('%o ends for good, with all that is issued under it later', async (target, caller, key) => {
  const { revoke, intents } = open();
  await revoke(target, caller);
  const { kind } = target;
  expect(intents).toMatchObject([
    { target: { kind, key }, tenantId: 't1', reach: 'forever', disables: { what: kind, id: key } },
  ]);
});

test.each([
  [{ kind: 'consent', consentId: 'con_2' }, new ConsentUnknown('target.consent_id')],
  [{ kind: 'consent', consentId: 'con_3' }, new ConsentUnknown('target.consent_id')],
  [{ kind: 'signing_key', signingKeyId: 'k2' }, new SigningKeyUnknown()],
] as const)('%o, of another tenant or none, is unknown', async (target, error) => {
  const { revoke, intents } = open();
  await expect(revoke(target)).rejects.toEqual(error);
  expect(intents).toEqual([]);
});

test('a signing key is for operators to revoke, and a consent not for who only issues tokens', async () => {
  const { revoke } = open();
  await expect(revoke(signingKey, { ...identity, scopes: ['tokens:issue', 'consents:write'] })).rejects.toThrow(
    CallerNotAllowed,
  );
  await expect(revoke(consent, identity)).rejects.toThrow(CallerNotAllowed);
});

test('with credentials the one that acts is spared', async () => {
  const { revoke, intents } = open();
  await revoke(tenant, operator, { includeCredentials: true });
  expect(intents).toMatchObject([
    {
      cuts: [{ tokenClass: 'token' }, { tokenClass: 'credential' }],
      includeCredentials: true,
      sparedTokenId: 'tok_caller',
    },
  ]);
});

test.each<readonly [string, Partial<Caller>, readonly RevocationTarget[], boolean]>([
  ['an operator without the scope', { ...operator, scopes: ['registry:write'] }, [user, appUser, app, tenant], false],
  ['an operator who may not revoke everything', operator, [all], false],
  ['a platform operator who may not revoke the rest', ownerOfAll, [user, appUser, app, tenant], false],
  ['an identity service without the scope', { ...identity, scopes: ['consents:write'] }, [user, appUser], false],
  ['an identity service', { ...identity, scopes: ['tokens:issue', 'tokens:revoke_all'] }, [app, tenant, all], false],
  ['an identity service, credentials', identity, [user, appUser], true],
  ['an app', { kind: 'app', name: 'a1', scopes: ['tokens:revoke'] }, [user, appUser, app, tenant, all], false],
  ['a resource server', { scopes: ['tokens:revoke'] }, [user, appUser, app, tenant, all], false],
])('%s may not', async (_, caller, targets, includeCredentials) => {
  const { revoke, intents } = open();
  for (const target of targets) {
    await expect(revoke(target, caller, { includeCredentials }), target.kind).rejects.toThrow(CallerNotAllowed);
  }
  expect(intents).toEqual([]);
});

test('an identity service revokes what its users have', async () => {
  const { revoke, intents } = open();
  await revoke(user, identity);
  await revoke(appUser, identity);
  expect(intents.map(({ target }) => target.kind)).toEqual(['user', 'app_user']);
});

test.each([
  [{ kind: 'user', tenantId: 't2', userId: 'ada' }, CallerNotAllowed, 'target.user.tenant_id'],
  [{ kind: 'tenant', tenantId: 't2' }, CallerNotAllowed, 'target.tenant.tenant_id'],
  [{ kind: 'app', appId: 'a2' }, AppUnknown, 'target.app.app_id'],
  [{ kind: 'app_user', appId: 'a2', userId: 'ada' }, AppUnknown, 'target.app_user.app_id'],
  [{ kind: 'app', appId: 'none' }, AppUnknown, 'target.app.app_id'],
] as const)('another tenant is out of reach: %o', async (target, failure, field) => {
  const { revoke, intents } = open();
  const refused = revoke(target);
  await expect(refused).rejects.toThrow(failure);
  await expect(refused).rejects.toMatchObject({ metadata: { field } });
  expect(intents).toEqual([]);
});

test('a tenant that the credential names and nobody created is unknown', async () => {
  const { revoke } = open();
  const target = { kind: 'tenant', tenantId: 't3' } as const;
  await expect(revoke(target, { ...operator, tenantIds: ['t3'] })).rejects.toThrow(TenantUnknown);
});
