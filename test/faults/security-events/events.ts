import { TokenMethod, Usage } from '@touchstone/contracts';
import { appUserKey, type CutKind, type TokenClass } from '@touchstone/core';
import type { Clients } from '../../harness/world.ts';
import { outcomeOf } from '../outcome.ts';
import {
  credentialsElsewhere,
  credentialsOfTenant,
  type Kind,
  tokensElsewhere,
  tokensOfTenant,
  tokensOfUserAtApp,
} from './kinds.ts';
import type { Scene } from './scene.ts';

type OneToken = NonNullable<Parameters<Clients['revocation']['revokeToken']>[0]['tokenOrId']>;
type Target = NonNullable<Parameters<Clients['revocation']['revokeTokens']>[0]['target']>;

/** A cut, as the topic of revisions tells it. */
type Cut = readonly [TokenClass, CutKind, key: string];

/** A revocation that is made, as the topics tell it. */
export interface Revocation {
  readonly targetKind: CutKind;
  readonly targetKey: string;
  readonly includeCredentials: boolean;
  readonly isForGood: boolean;
  readonly cuts: readonly Cut[];
  /** Where they are not those of the acting operator, in the words of the event's name. */
  readonly by?: { readonly kind: string; readonly credential: Kind; readonly reason: string };
}

/** A change of the registry, as the audit topic tells it. */
export interface Change {
  readonly what: string;
  readonly id: string;
  readonly change: string;
}

/** Something that takes tokens back, and what is meant by it. */
export interface SecurityEvent {
  readonly name: string;
  /** As whoever has to does it, for the reason of this name. */
  carryOut(scene: Scene, reason: string): Promise<{ readonly revision?: string; readonly revocationId?: string }>;
  /** Whether doing it again is answered alike, and does nothing more. */
  readonly isIdempotent: boolean;
  readonly takes: readonly Kind[];
  /** All of them in one revision, or each in the next. */
  readonly revocations: (scene: Scene) => readonly Revocation[];
  readonly changes?: (scene: Scene) => readonly Change[];
  /** The tenants whose policy holds something else against tokens from then on. */
  readonly policies?: (scene: Scene) => readonly string[];
  /** What becomes of a token that is issued afterwards, like the first but for this. */
  readonly afterwards: { readonly but: (scene: Scene) => object; readonly refusedFor: string | null };
}

const honouredAfterwards = { but: () => ({}), refusedFor: null } as const;
const noneAfterwards = { but: () => ({}), refusedFor: 'DISABLED' } as const;

const ofToken = (tokenId: string, includeCredentials = false): Revocation => ({
  targetKind: 'token',
  targetKey: tokenId,
  includeCredentials,
  isForGood: true,
  cuts: [['token', 'token', tokenId]],
});
const ofConsent = (consentId: string): Revocation => ({
  targetKind: 'consent',
  targetKey: consentId,
  includeCredentials: false,
  isForGood: true,
  cuts: [['token', 'consent', consentId]],
});
const endOfConsent = (consentId: string): Change => ({ what: 'consent', id: consentId, change: 'disabled' });

const one = (
  name: string,
  by: (scene: Scene) => OneToken,
  takes: readonly Kind[],
  revocation: (scene: Scene) => Revocation,
): SecurityEvent => ({
  name,
  carryOut: (scene, reason) => scene.acting.revocation.revokeToken({ tokenOrId: by(scene), reason }),
  isIdempotent: true,
  takes,
  revocations: (scene) => [revocation(scene)],
  afterwards: honouredAfterwards,
});

const exchanged = 'token exchanged for it, for another API';
const itself: readonly Kind[] = ['the token', exchanged];
const family: readonly Kind[] = ['token with a refresh token', 'renewed token', 'refresh token'];
const another = 'credential of another identity service';

const single: readonly SecurityEvent[] = [
  one(
    'RevokeToken of one that was exchanged for another',
    ({ held }) => ({ case: 'token', value: held[exchanged].text }),
    [exchanged],
    ({ tokenIdOf }) => ofToken(tokenIdOf(exchanged)),
  ),
  one(
    'RevokeToken by the string',
    ({ held }) => ({ case: 'token', value: held['the token'].text }),
    itself,
    ({ tokenIdOf }) => ofToken(tokenIdOf('the token')),
  ),
  one(
    'RevokeToken by the id',
    ({ tokenIdOf }) => ({ case: 'tokenId', value: tokenIdOf('the token') }),
    itself,
    ({ tokenIdOf }) => ofToken(tokenIdOf('the token')),
  ),
  one(
    'RevokeToken of a token that was narrowed',
    ({ held }) => ({ case: 'token', value: held['token that can be narrowed'].text }),
    ['token that can be narrowed', 'narrowed copy of that token'],
    ({ tokenIdOf }) => ofToken(tokenIdOf('token that can be narrowed')),
  ),
  one(
    'RevokeToken of a credential',
    ({ tokenIdOf }) => ({ case: 'tokenId', value: tokenIdOf(another) }),
    [another],
    ({ tokenIdOf }) => ofToken(tokenIdOf(another), true),
  ),
  one(
    'RevokeToken of a refresh token',
    ({ held }) => ({ case: 'token', value: held['refresh token'].text }),
    family,
    ({ tokenIdOf, idOfText, usedRefreshToken }) => {
      const itsOwn = ofToken(tokenIdOf('refresh token'));
      return { ...itsOwn, cuts: [...itsOwn.cuts, ['token', 'token', idOfText(usedRefreshToken)]] };
    },
  ),
  {
    name: 'RefreshToken with one that has been used',
    async carryOut({ app, usedRefreshToken }) {
      const outcome = await outcomeOf(app.issuer.refreshToken({ refreshToken: usedRefreshToken }));
      if (outcome.ok || outcome.reason !== 'REFRESH_TOKEN_REUSED') throw new Error('it was not found used again');
      return {};
    },
    isIdempotent: false,
    takes: family,
    revocations: ({ idOfText, usedRefreshToken }) => [
      {
        ...ofToken(idOfText(usedRefreshToken)),
        by: { kind: 'app', credential: 'credential of the app', reason: 'a refresh token was used again' },
      },
    ],
    afterwards: honouredAfterwards,
  },
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

const ofApp: readonly Kind[] = [...tokensOfUserAtApp, 'token of another user', 'token of the app without a user'];
const ofUser: readonly Kind[] = [...tokensOfUserAtApp, 'token of its user at another app'];
const callerId = 'identity_service:identity';

const levels: readonly Level[] = [
  {
    name: 'a user',
    kind: 'user',
    target: ({ tenantId, userId }) => ({ target: { case: 'user', value: { tenantId, userId } } }),
    key: ({ handleOf, userId }) => handleOf(userId),
    tokens: ofUser,
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
    tokens: tokensOfUserAtApp,
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
  isIdempotent: true,
  takes: includeCredentials ? [...tokens, ...credentials] : tokens,
  revocations: (scene) => [
    {
      targetKind: kind,
      targetKey: key(scene),
      includeCredentials,
      isForGood: false,
      cuts: [['token', kind, key(scene)], ...(includeCredentials ? ([['credential', kind, key(scene)]] as const) : [])],
    },
  ],
  afterwards: honouredAfterwards,
});

const revokeForGood =
  (target: (scene: Scene) => Target): SecurityEvent['carryOut'] =>
  (scene, reason) =>
    scene.acting.revocation.revokeTokens({
      target: target(scene),
      reason,
      idempotencyKey: `incident-${scene.appId}`,
    });

const ends: readonly SecurityEvent[] = [
  {
    name: 'RevokeTokens of a consent',
    carryOut: revokeForGood(({ consentIds }) => ({ target: { case: 'consentId', value: consentIds[0] } })),
    isIdempotent: true,
    takes: [
      'token under a consent',
      'token under the key of that consent',
      'token exchanged for the one under that consent',
    ],
    revocations: ({ consentIds }) => [ofConsent(consentIds[0])],
    changes: ({ consentIds }) => [endOfConsent(consentIds[0])],
    afterwards: { but: ({ consentIds }) => ({ consentId: consentIds[0] }), refusedFor: 'CONSENT_ENDED' },
  },
  {
    name: 'RevokeTokens of a signing key',
    carryOut: revokeForGood(({ signingKeyId }) => ({ target: { case: 'signingKeyId', value: signingKeyId } })),
    isIdempotent: true,
    takes: ['encrypted token', 'signed token', 'split token', 'token exchanged for the signed token, for another API'],
    revocations: ({ signingKeyId }) => [
      {
        targetKind: 'signing_key',
        targetKey: signingKeyId,
        includeCredentials: false,
        isForGood: true,
        cuts: [['token', 'signing_key', signingKeyId]],
      },
    ],
    changes: ({ signingKeyId }) => [{ what: 'signing_key', id: signingKeyId, change: 'disabled' }],
    afterwards: { but: () => ({ method: TokenMethod.SIGNED }), refusedFor: null },
  },
];

const disabling = (targetKind: CutKind, targetKey: string, ofCredentials: Cut): Revocation => ({
  targetKind,
  targetKey,
  includeCredentials: true,
  isForGood: true,
  cuts: [['token', targetKind, targetKey], ofCredentials],
});
const disabled = (what: CutKind, id: string): Change => ({ what, id, change: 'disabled' });
const ofTenant = ({ tenantId }: Scene) => disabling('tenant', tenantId, ['credential', 'tenant', tenantId]);

const disablings: readonly SecurityEvent[] = [
  {
    name: 'DisableApp',
    carryOut: ({ acting, appId }, reason) => acting.registry.disableApp({ appId, reason }),
    isIdempotent: true,
    takes: [...ofApp, 'credential of the app'],
    revocations: ({ appId }) => [disabling('app', appId, ['credential', 'app', appId])],
    changes: ({ appId }) => [disabled('app', appId)],
    afterwards: noneAfterwards,
  },
  {
    name: 'DisableResourceServer',
    carryOut: ({ acting, audience }, reason) => acting.registry.disableResourceServer({ audience, reason }),
    isIdempotent: true,
    takes: [...tokensOfTenant.filter((kind) => kind !== 'token of its user for another API'), 'credential of the API'],
    revocations: ({ audience, handleOf }) => [
      disabling('resource_server', audience, ['credential', 'user', handleOf(`resource_server:${audience}`)]),
    ],
    changes: ({ audience }) => [disabled('resource_server', audience)],
    afterwards: noneAfterwards,
  },
  {
    name: 'DisableTenant',
    carryOut: ({ acting, tenantId }, reason) => acting.registry.disableTenant({ tenantId, reason }),
    isIdempotent: true,
    takes: [...tokensOfTenant, ...credentialsOfTenant],
    revocations: (scene) => [ofTenant(scene)],
    changes: ({ tenantId }) => [disabled('tenant', tenantId)],
    afterwards: noneAfterwards,
  },
];

const erasures: readonly SecurityEvent[] = [
  {
    name: 'EraseUser',
    carryOut: ({ acting, tenantId, userId }, reason) => acting.revocation.eraseUser({ tenantId, userId, reason }),
    isIdempotent: false,
    takes: ofUser,
    revocations: ({ consentIds, userId, handleOf }) => [
      ...consentIds.map(ofConsent),
      {
        targetKind: 'user',
        targetKey: handleOf(userId),
        includeCredentials: false,
        isForGood: false,
        cuts: [['token', 'user', handleOf(userId)]],
      },
    ],
    changes: ({ consentIds, userId, handleOf }) => [
      ...consentIds.map(endOfConsent),
      { what: 'user', id: handleOf(userId), change: 'erased' },
    ],
    afterwards: honouredAfterwards,
  },
  {
    name: 'EraseTenant, which has to be disabled first',
    async carryOut({ acting, tenantId }, reason) {
      const disabled = await acting.registry.disableTenant({ tenantId, reason });
      await acting.revocation.eraseTenant({ tenantId, reason });
      return disabled;
    },
    isIdempotent: false,
    takes: [...tokensOfTenant, ...credentialsOfTenant],
    revocations: (scene) => [ofTenant(scene)],
    changes: ({ tenantId }) => [disabled('tenant', tenantId), { what: 'tenant', id: tenantId, change: 'erased' }],
    afterwards: noneAfterwards,
  },
];

const anything = { ruleId: 'anything' };
const noBatches = { ruleId: 'no-batches', usages: [Usage.BATCH], scopes: { names: [] }, holdsForIssuedTokens: true };
const policies: readonly SecurityEvent[] = [
  {
    name: 'UpdatePolicy with a rule that holds for issued tokens',
    carryOut: ({ acting, tenantId }, reason) =>
      acting.registry.updatePolicy({ policy: { tenantId, rules: [anything, noBatches] }, reason }),
    isIdempotent: false,
    takes: ['token of its user for a batch'],
    revocations: () => [],
    changes: () => [{ what: 'policy', id: '1', change: 'updated' }],
    policies: ({ tenantId }) => [tenantId],
    afterwards: { but: () => ({ usage: Usage.BATCH }), refusedFor: 'SCOPE_NOT_ALLOWED' },
  },
];

export const securityEvents: readonly SecurityEvent[] = [
  ...single,
  ...levels.flatMap((level) => [bulk(level, false), bulk(level, true)]),
  ...ends,
  ...disablings,
  ...erasures,
  ...policies,
];
