import { ClientType, HostingType, Usage } from '@touchstone/contracts';
import type { SharedStack } from '../../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, openWorld, scopes, unique, type World } from '../../harness/world.ts';
import { credentialOf, type Held, tokenFor } from './held.ts';
import type { Kind } from './kinds.ts';
import type { Newcomer } from './newcomer.ts';

/** Two tenants with something of every kind in them, for one security event. */
export interface Scene {
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
  readonly userId: string;
  /** Of an operator of the first tenant, who may revoke everything. */
  readonly acting: Clients;
  readonly held: Readonly<Record<Kind, Held>>;
  tokenIdOf(kind: Kind): string;
  handleOf(userId: string): string;
  /** Issues another token like the first one, by callers whom the acting operator makes for it. */
  issueAfterwards(): Promise<Held>;
}

const ttl = { seconds: 3_600n };
const userId = 'ada';

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
  const appId = unique('app');
  const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
  const grants = [audience, otherAudience].map((one) => ({ audience: one, scopes }));
  await registry.createApp({ app: { appId, tenantId, ...kind, grants } });

  type Principal = NonNullable<Parameters<Clients['registry']['issueCredential']>[0]['principal']>;
  const credential = async (principal: Principal, scope: string, maker = registry) =>
    clientsOf(stack, (await maker.issueCredential({ principal, scopes: [scope], ttl })).credential);
  const identityNamed = (name: string) => ({ case: 'identityService', value: { tenantId, name } }) as const;
  const apiOf = (one: string) => ({ case: 'resourceServer', value: { audience: one } }) as const;

  const acting = await bootstrapped(stack, [tenantId], ['tokens:revoke_all']);
  const app = await credential({ case: 'app', value: { appId } }, 'tokens:issue:self');
  const otherApi = await credential(apiOf(otherAudience), 'tokens:validate');
  const token = async (of: World, over: object, by = of.identity, api = of.resourceServer): Promise<Held> => {
    const request = of.request({ userId, ...over });
    return tokenFor(String(request.audience), api, (await by.issuer.issueToken(request)).token);
  };
  const withoutUser = { userId: '', claims: {} };
  const held: Scene['held'] = {
    'the token': await token(own, { appId }),
    'token like it': await token(own, { appId }),
    'token of its user for a batch': await token(own, { appId, usage: Usage.BATCH }),
    'token of its user for another API': await token(own, { appId, audience: otherAudience }, own.identity, otherApi),
    'token of its user at another app': await token(own, {}),
    'token of another user': await token(own, { appId, userId: 'bob' }),
    'token of another user at another app': await token(own, { userId: 'bob' }),
    'token of the app without a user': await token(own, { appId, ...withoutUser }, app),
    'token of another app without a user': await token(own, withoutUser, own.app),
    'token of a user of that name in another tenant': await token(foreign, {}),
    'token of an app without a user in another tenant': await token(foreign, withoutUser, foreign.app),
    'credential of the identity service': credentialOf(own.identity),
    'credential of another identity service': credentialOf(await credential(identityNamed('second'), 'tokens:issue')),
    'credential of the app': credentialOf(app),
    'credential of another app': credentialOf(own.app),
    'credential of the API': credentialOf(own.resourceServer),
    'credential of another API': credentialOf(otherApi),
    'credential of an auditor': credentialOf(own.auditor),
    'credential of an operator': credentialOf(own.operator),
    'credential of an operator in both tenants': credentialOf(await bootstrapped(stack, [tenantId, foreign.tenantId])),
    'credential of the acting operator': credentialOf(acting),
    'credential of an identity service in another tenant': credentialOf(foreign.identity),
    'credential of an app in another tenant': credentialOf(foreign.app),
    'credential of an operator in another tenant': credentialOf(foreign.operator),
  };
  return {
    tenantId,
    appId,
    audience,
    userId,
    acting,
    held,
    tokenIdOf: (kind) => tokenIdOf(held[kind].text),
    handleOf: (await handlesOf(tenantId)).handleOf,
    async issueAfterwards() {
      const identity = await credential(identityNamed('afterwards'), 'tokens:issue', acting.registry);
      const api = await credential(apiOf(audience), 'tokens:validate', acting.registry);
      return token(own, { appId }, identity, api);
    },
  };
}
