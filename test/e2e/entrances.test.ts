import type { Message, MessageInitShape } from '@bufbuild/protobuf';
import { attenuate } from '@touchstone/client';
import { type RevocationTargetSchema, TokenMethod } from '@touchstone/contracts';
import { describe, inject, test } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';
import { type End, expectEnd, expectEndOfCredential, type Presented, present } from './support-entrances.ts';

const stack = inject('stack');

type Target = NonNullable<Exclude<MessageInitShape<typeof RevocationTargetSchema>, Message>['target']>;
type Revoked = Promise<{ readonly revision: string }>;

const revokeTarget = ({ operator }: World, target: Target, includeCredentials = false): Revoked =>
  operator.revocation.revokeTokens({
    target: { target },
    reason: 'test',
    idempotencyKey: unique('incident'),
    includeCredentials,
  });
const revokeOne = ({ operator }: World, token: string): Revoked =>
  operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
const keyThatSigned = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

interface Level extends End {
  readonly revoke: (presented: Presented) => Revoked;
  readonly method?: TokenMethod;
}

const levels: Readonly<Record<string, Level>> = {
  token: { revoke: ({ own, token }) => revokeOne(own, token), refresh: 'honoured' },
  family: { revoke: ({ own, refreshToken }) => revokeOne(own, refreshToken) },
  user: { revoke: ({ own }) => revokeTarget(own, { case: 'user', value: { tenantId: own.tenantId, userId: 'ada' } }) },
  app: { revoke: ({ own }) => revokeTarget(own, { case: 'app', value: { appId: own.appId } }) },
  'app and user': {
    revoke: ({ own }) => revokeTarget(own, { case: 'appUser', value: { appId: own.appId, userId: 'ada' } }),
  },
  tenant: { revoke: ({ own }) => revokeTarget(own, { case: 'tenant', value: { tenantId: own.tenantId } }) },
  consent: { revoke: ({ own, consentId }) => revokeTarget(own, { case: 'consentId', value: consentId }) },
  'signing key': {
    method: TokenMethod.SIGNED,
    revoke: ({ own, token }) => revokeTarget(own, { case: 'signingKeyId', value: keyThatSigned(token) }),
    refresh: 'honoured',
  },
  'disabled app': { revoke: ({ own }) => own.operator.registry.disableApp({ appId: own.appId }), takesCallers: true },
  'disabled resource server': {
    revoke: ({ own }) => own.operator.registry.disableResourceServer({ audience: own.audience }),
    refresh: 'FailedPrecondition DISABLED',
    takesCallers: true,
  },
  'disabled tenant': {
    revoke: ({ own }) => own.operator.registry.disableTenant({ tenantId: own.tenantId }),
    takesCallers: true,
  },
};

const narrowed = (token: string): string =>
  attenuate(token, { scopes: ['orders:read'], expiresAt: Math.floor(Date.now() / 1_000) + 600 });
const { ENCRYPTED, CONSENT_KEY, SPLIT, ATTENUABLE } = TokenMethod;
const kinds: Readonly<Record<string, { readonly method: TokenMethod; readonly copy?: typeof narrowed }>> = {
  ENCRYPTED: { method: ENCRYPTED },
  CONSENT_KEY: { method: CONSENT_KEY },
  SPLIT: { method: SPLIT },
  ATTENUABLE: { method: ATTENUABLE },
  'narrowed copy of an ATTENUABLE': { method: ATTENUABLE, copy: narrowed },
};

describe.concurrent('Keycloak issue 15195: what has been revoked is refused at every entrance', () => {
  test.each(Object.entries(levels))('%s', async (_, { revoke, method, ...end }) => {
    await expectEnd(await present(stack, method), revoke, end);
  });

  test.each(Object.entries(kinds))('%s token', async (_, { method, copy }) => {
    await expectEnd(await present(stack, method, copy), ({ own, whole }) => revokeOne(own, whole), {
      refresh: 'honoured',
    });
  });
});

type Caller = 'identity' | 'app' | 'resourceServer' | 'auditor';
const credentialLevels: readonly (readonly [level: string, Caller, (own: World) => Revoked])[] = [
  ['token', 'auditor', (own) => revokeOne(own, own.auditor.credential)],
  [
    'user, as which it is known',
    'identity',
    (own) =>
      revokeTarget(own, { case: 'user', value: { tenantId: own.tenantId, userId: 'identity_service:identity' } }, true),
  ],
  ['app', 'app', (own) => revokeTarget(own, { case: 'app', value: { appId: own.appId } }, true)],
  ['tenant', 'resourceServer', (own) => revokeTarget(own, { case: 'tenant', value: { tenantId: own.tenantId } }, true)],
  ['disabled app', 'app', ({ operator, appId }) => operator.registry.disableApp({ appId })],
  [
    'disabled resource server',
    'resourceServer',
    ({ operator, audience }) => operator.registry.disableResourceServer({ audience }),
  ],
  ['disabled tenant', 'identity', ({ operator, tenantId }) => operator.registry.disableTenant({ tenantId })],
];

describe.concurrent('Keycloak issue 15195: a credential that has been revoked lets nobody in at any service', () => {
  test.each(credentialLevels)('%s, of %s', async (_, caller, revoke) => {
    const own = await openWorld(stack);
    await expectEndOfCredential(stack, own[caller].credential, () => revoke(own));
  });
});
