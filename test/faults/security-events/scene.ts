import { create } from '@bufbuild/protobuf';
import { attenuate } from '@touchstone/client';
import {
  ClientType,
  ExchangeEdgeSchema,
  HostingType,
  RefreshPolicySchema,
  TokenMethod,
  Usage,
} from '@touchstone/contracts';
import type { SharedStack } from '../../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, openWorld, scopes, unique, type World } from '../../harness/world.ts';
import { credentialOf, type Held, refreshTokenFor, tokenFor } from './held.ts';
import type { Kind } from './kinds.ts';
import type { Newcomer } from './newcomer.ts';

/** Two tenants with something of every kind in them, for one security event. */
export interface Scene {
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
  readonly userId: string;
  /** The consents of the user to the app. The first is the one that tokens of two kinds are under. */
  readonly consentIds: readonly [string, string];
  /** The key that signs. */
  readonly signingKeyId: string;
  /** The first refresh token of its family: it has been used. */
  readonly usedRefreshToken: string;
  /** An operator of the first tenant, who may revoke everything. */
  readonly acting: Clients;
  readonly app: Clients;
  readonly held: Readonly<Record<Kind, Held>>;
  tokenIdOf(kind: Kind): string;
  idOfText(text: string): string;
  handleOf(userId: string): string;
  /** Issues another token like the first one, or one that is other in this, by callers whom the acting operator makes for it. */
  issueAfterwards(over: object): Promise<Held>;
}

const ttl = { seconds: 3_600n };
const userId = 'ada';
const { REFERENCE, ENCRYPTED, CONSENT_KEY, SIGNED, SPLIT, ATTENUABLE } = TokenMethod;

export async function openScene(
  stack: SharedStack,
  { tokenIdOf, handlesOf }: Pick<Newcomer, 'tokenIdOf' | 'handlesOf'>,
): Promise<Scene> {
  const [own, foreign] = await Promise.all([openWorld(stack), openWorld(stack)]);
  const { tenantId, audience } = own;
  const { registry } = own.operator;
  const otherAudience = `https://${unique('billing')}.example.com`;
  await registry.createResourceServer({
    resourceServer: { audience: otherAudience, tenantId, scopes: scopes.map((name) => ({ name })) },
  });
  await addExchange(own, otherAudience);
  const appId = await own.addApp({
    clientType: ClientType.WEB,
    hostingType: HostingType.FIRST_PARTY,
    grants: [audience, otherAudience].map((one) => ({ audience: one, scopes })),
    methods: [REFERENCE, ENCRYPTED, CONSENT_KEY, SIGNED, SPLIT, ATTENUABLE],
    refresh: create(RefreshPolicySchema, { ttlMax: ttl }),
  });

  type Principal = NonNullable<Parameters<Clients['registry']['issueCredential']>[0]['principal']>;
  const credential = async (principal: Principal, scope: string, maker = registry) =>
    clientsOf(stack, (await maker.issueCredential({ principal, scopes: [scope], ttl })).credential);
  const identityNamed = (name: string) => ({ case: 'identityService', value: { tenantId, name } }) as const;
  const apiOf = (one: string) => ({ case: 'resourceServer', value: { audience: one } }) as const;

  const [acting, app, otherApi, otherIdentity, operatorOfBoth] = await Promise.all([
    bootstrapped(stack, [tenantId], ['tokens:revoke_all']),
    credential({ case: 'app', value: { appId } }, 'tokens:issue:self'),
    credential(apiOf(otherAudience), 'tokens:validate'),
    credential(identityNamed('second'), 'tokens:issue'),
    bootstrapped(stack, [tenantId, foreign.tenantId]),
  ]);
  const token = async (of: World, over: object, by = of.identity, api = of.resourceServer): Promise<Held> => {
    const request = of.request({ userId, ...over });
    return tokenFor(String(request.audience), api, (await by.issuer.issueToken(request)).token);
  };
  const ofUser = (over: object = {}) => token(own, { appId, ...over });
  const withoutUser = { userId: '', claims: {} };

  const signedBefore = await ofUser({ method: SIGNED });
  const rotated = await registry.rotateSigningKey({ tenantId });
  const consentIds = [await own.consent({ appId }), await own.consent({ appId })] as const;
  const first = await ofUser();
  const underConsent = await ofUser({ consentId: consentIds[0] });
  const signed = await ofUser({ method: SIGNED });
  const whole = await ofUser({ method: ATTENUABLE });
  const exchangedFor = async ({ text }: Held, to: string, api: Clients): Promise<Held> => {
    const request = { token: text, audience: to, scopes: ['orders:read'] };
    return tokenFor(to, api, (await app.issuer.exchangeToken(request)).token);
  };
  const family = await own.issue({ appId, refreshable: true });
  const renewed = await app.issuer.refreshToken({ refreshToken: family.refreshToken });

  const held: Scene['held'] = await allOf<Kind, Held>({
    'the token': first,
    'token like it': ofUser(),
    'token of its user for a batch': ofUser({ usage: Usage.BATCH }),
    'token of its user for another API': token(own, { appId, audience: otherAudience }, own.identity, otherApi),
    'token exchanged for it, for another API': exchangedFor(first, otherAudience, otherApi),
    'token with a refresh token': tokenFor(audience, own.resourceServer, family.token),
    'renewed token': tokenFor(audience, own.resourceServer, renewed.token),
    'refresh token': refreshTokenFor(audience, app, renewed.refreshToken),
    'token under a consent': underConsent,
    'token under the key of that consent': ofUser({ consentId: consentIds[0], method: CONSENT_KEY }),
    'token exchanged for the one under that consent': exchangedFor(underConsent, audience, own.resourceServer),
    'token under another consent': ofUser({ consentId: consentIds[1] }),
    'encrypted token': ofUser({ method: ENCRYPTED }),
    'signed token': signed,
    'token exchanged for the signed token, for another API': exchangedFor(signed, otherAudience, otherApi),
    'split token': ofUser({ method: SPLIT }),
    'token signed by the key before': signedBefore,
    'token that can be narrowed': whole,
    'narrowed copy of that token': tokenFor(
      audience,
      own.resourceServer,
      attenuate(whole.text, { scopes: ['orders:read'] }),
    ),
    'token of its user at another app': token(own, {}),
    'token of another user': token(own, { appId, userId: 'bob' }),
    'token of another user at another app': token(own, { userId: 'bob' }),
    'token of the app without a user': token(own, { appId, ...withoutUser }, app),
    'token of another app without a user': token(own, withoutUser, own.app),
    'token of a user of that name in another tenant': token(foreign, {}),
    'token of an app without a user in another tenant': token(foreign, withoutUser, foreign.app),
    'credential of the identity service': credentialOf(own.identity),
    'credential of another identity service': credentialOf(otherIdentity),
    'credential of the app': credentialOf(app),
    'credential of another app': credentialOf(own.app),
    'credential of the API': credentialOf(own.resourceServer),
    'credential of another API': credentialOf(otherApi),
    'credential of an auditor': credentialOf(own.auditor),
    'credential of an operator': credentialOf(own.operator),
    'credential of an operator in both tenants': credentialOf(operatorOfBoth),
    'credential of the acting operator': credentialOf(acting),
    'credential of an identity service in another tenant': credentialOf(foreign.identity),
    'credential of an app in another tenant': credentialOf(foreign.app),
    'credential of an operator in another tenant': credentialOf(foreign.operator),
  });
  return {
    tenantId,
    appId,
    audience,
    userId,
    consentIds,
    signingKeyId: rotated.active?.signingKeyId ?? '',
    usedRefreshToken: family.refreshToken,
    acting,
    app,
    held,
    tokenIdOf: (kind) => tokenIdOf(held[kind].text),
    idOfText: tokenIdOf,
    handleOf: (await handlesOf(tenantId)).handleOf,
    async issueAfterwards(over) {
      const identity = await credential(identityNamed('afterwards'), 'tokens:issue', acting.registry);
      const api = await credential(apiOf(audience), 'tokens:validate', acting.registry);
      return token(own, { appId, ...over }, identity, api);
    },
  };
}

/** Lets tokens of its API be exchanged for the other one. */
async function addExchange({ operator: { registry }, audience }: World, to: string): Promise<void> {
  const { resourceServer } = await registry.getResourceServer({ audience });
  if (!resourceServer) throw new Error('there is no resource server');
  const edge = { audience: to, scopes: scopes.map((name) => ({ from: name, to: name })) };
  const exchanges = [create(ExchangeEdgeSchema, edge)];
  await registry.updateResourceServer({ resourceServer: { ...resourceServer, exchanges } });
}

async function allOf<Name extends string, Value>(
  coming: Readonly<Record<Name, Value | Promise<Value>>>,
): Promise<Record<Name, Value>> {
  const arrived = Object.entries<Value | Promise<Value>>(coming).map(async ([name, value]) => [name, await value]);
  return Object.fromEntries(await Promise.all(arrived));
}
