import { appUserKey, type CutKind, type TokenClass } from '@touchstone/core';
import type { Clients } from '../../harness/world.ts';
import { credentialsElsewhere, credentialsOfTenant, type Kind, tokensElsewhere, tokensOfTenant } from './kinds.ts';
import type { Scene } from './scene.ts';

type OneToken = NonNullable<Parameters<Clients['revocation']['revokeToken']>[0]['tokenOrId']>;
type Target = NonNullable<Parameters<Clients['revocation']['revokeTokens']>[0]['target']>;

/** Something that takes tokens back, and what is meant by it. */
export interface SecurityEvent {
  readonly name: string;
  /** As the acting operator does it, for the reason of this name. Repeating it does nothing more. */
  carryOut(scene: Scene, reason: string): Promise<{ readonly revision: string; readonly revocationId?: string }>;
  readonly takes: readonly Kind[];
  /** What the audit topic tells of it. */
  readonly told: { readonly targetKind: CutKind; readonly includeCredentials: boolean; readonly isForGood: boolean };
  readonly targetKey: (scene: Scene) => string;
  /** What the topic of revisions tells of it. */
  readonly cuts: (scene: Scene) => readonly (readonly [TokenClass, CutKind, key: string])[];
}

const one = (name: string, kind: Kind, by: (scene: Scene) => OneToken): SecurityEvent => ({
  name,
  carryOut: (scene, reason) => scene.acting.revocation.revokeToken({ tokenOrId: by(scene), reason }),
  takes: [kind],
  told: { targetKind: 'token', includeCredentials: kind.startsWith('credential'), isForGood: true },
  targetKey: (scene) => scene.tokenIdOf(kind),
  cuts: (scene) => [['token', 'token', scene.tokenIdOf(kind)]],
});

const single: readonly SecurityEvent[] = [
  one('RevokeToken by the string', 'the token', ({ held }) => ({ case: 'token', value: held['the token'].text })),
  one('RevokeToken by the id', 'the token', ({ tokenIdOf }) => ({ case: 'tokenId', value: tokenIdOf('the token') })),
  one('RevokeToken of a credential', 'credential of another identity service', ({ tokenIdOf }) => ({
    case: 'tokenId',
    value: tokenIdOf('credential of another identity service'),
  })),
];

interface Level {
  readonly name: string;
  readonly kind: CutKind;
  readonly target: (scene: Scene) => Target;
  readonly key: (scene: Scene) => string;
  readonly tokens: readonly Kind[];
  /** Where they are included. */
  readonly credentials: readonly Kind[];
}

const ofUserAtApp: readonly Kind[] = [
  'the token',
  'token like it',
  'token of its user for a batch',
  'token of its user for another API',
];
const ofApp: readonly Kind[] = [...ofUserAtApp, 'token of another user', 'token of the app without a user'];
const callerId = 'identity_service:identity';

const levels: readonly Level[] = [
  {
    name: 'a user',
    kind: 'user',
    target: ({ tenantId, userId }) => ({ target: { case: 'user', value: { tenantId, userId } } }),
    key: ({ handleOf, userId }) => handleOf(userId),
    tokens: [...ofUserAtApp, 'token of its user at another app'],
    credentials: [],
  },
  {
    name: 'a caller, by the name that it has as a user',
    kind: 'user',
    target: ({ tenantId }) => ({ target: { case: 'user', value: { tenantId, userId: callerId } } }),
    key: ({ handleOf }) => handleOf(callerId),
    tokens: [],
    credentials: ['credential of the identity service'],
  },
  {
    name: 'an app',
    kind: 'app',
    target: ({ appId }) => ({ target: { case: 'app', value: { appId } } }),
    key: ({ appId }) => appId,
    tokens: ofApp,
    credentials: ['credential of the app'],
  },
  {
    name: 'an app for a user',
    kind: 'app_user',
    target: ({ appId, userId }) => ({ target: { case: 'appUser', value: { appId, userId } } }),
    key: ({ appId, userId, handleOf }) => appUserKey(appId, handleOf(userId)),
    tokens: ofUserAtApp,
    credentials: [],
  },
  {
    name: 'a tenant',
    kind: 'tenant',
    target: ({ tenantId }) => ({ target: { case: 'tenant', value: { tenantId } } }),
    key: ({ tenantId }) => tenantId,
    tokens: tokensOfTenant,
    credentials: credentialsOfTenant,
  },
  {
    name: 'all',
    kind: 'all',
    target: () => ({ target: { case: 'all', value: {} } }),
    key: () => '',
    tokens: [...tokensOfTenant, ...tokensElsewhere],
    credentials: [...credentialsOfTenant, ...credentialsElsewhere],
  },
];

const bulk = ({ name, kind, target, key, tokens, credentials }: Level, includeCredentials: boolean): SecurityEvent => ({
  name: `RevokeTokens of ${name}${includeCredentials ? ', credentials included' : ''}`,
  carryOut: (scene, reason) =>
    scene.acting.revocation.revokeTokens({
      target: target(scene),
      reason,
      idempotencyKey: `incident-${scene.appId}`,
      includeCredentials,
    }),
  takes: includeCredentials ? [...tokens, ...credentials] : tokens,
  told: { targetKind: kind, includeCredentials, isForGood: false },
  targetKey: key,
  cuts: (scene) => [
    ['token', kind, key(scene)],
    ...(includeCredentials ? ([['credential', kind, key(scene)]] as const) : []),
  ],
});

const disabling = { includeCredentials: true, isForGood: true } as const;
const disablings: readonly SecurityEvent[] = [
  {
    name: 'DisableApp',
    carryOut: ({ acting, appId }, reason) => acting.registry.disableApp({ appId, reason }),
    takes: [...ofApp, 'credential of the app'],
    told: { targetKind: 'app', ...disabling },
    targetKey: ({ appId }) => appId,
    cuts: ({ appId }) => [
      ['token', 'app', appId],
      ['credential', 'app', appId],
    ],
  },
  {
    name: 'DisableResourceServer',
    carryOut: ({ acting, audience }, reason) => acting.registry.disableResourceServer({ audience, reason }),
    takes: [...tokensOfTenant.filter((kind) => kind !== 'token of its user for another API'), 'credential of the API'],
    told: { targetKind: 'resource_server', ...disabling },
    targetKey: ({ audience }) => audience,
    cuts: ({ audience, handleOf }) => [
      ['token', 'resource_server', audience],
      ['credential', 'user', handleOf(`resource_server:${audience}`)],
    ],
  },
  {
    name: 'DisableTenant',
    carryOut: ({ acting, tenantId }, reason) => acting.registry.disableTenant({ tenantId, reason }),
    takes: [...tokensOfTenant, ...credentialsOfTenant],
    told: { targetKind: 'tenant', ...disabling },
    targetKey: ({ tenantId }) => tenantId,
    cuts: ({ tenantId }) => [
      ['token', 'tenant', tenantId],
      ['credential', 'tenant', tenantId],
    ],
  },
];

export const securityEvents: readonly SecurityEvent[] = [
  ...single,
  ...levels.flatMap((level) => [bulk(level, false), bulk(level, true)]),
  ...disablings,
];
