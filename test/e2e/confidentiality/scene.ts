import { Code, ConnectError } from '@connectrpc/connect';
import { ClientType, HostingType, TokenMethod } from '@touchstone/contracts';
import { parseTokenId } from '@touchstone/core';
import type { SharedStack } from '../../harness/shared-stack.ts';
import { type Clients, clientsOf, openWorld, scopes, unique, type World } from '../../harness/world.ts';
import type { Attacker } from './attacker.ts';
import type { Question } from './validators.ts';

/** A tenant in which somebody with few rights lives beside others with more. */
export interface Scene extends World {
  /** An app that may only read. */
  readonly lowApp: string;
  /** An API of the same tenant that is told everything, and its credential. */
  readonly confidant: { readonly audience: string; readonly clients: Clients };
  /** A token of the low app, for somebody who is watched least. */
  holder(over?: Record<string, unknown>): Promise<Held>;
  /** A token with more rights and other claims. */
  victim(over?: Record<string, unknown>): Promise<Held>;
  /** An app that may have tokens of every method, for all that the API does. */
  readonly manyApp: string;
  /** As `holder` and `victim`, but made by this method and under the user's consent. */
  holderOf(method: TokenMethod, over?: Record<string, unknown>): Promise<Held>;
  victimOf(method: TokenMethod, over?: Record<string, unknown>): Promise<Held>;
  /** What the two stand on. */
  readonly consents: { readonly holder: string; readonly victim: string };
  /** What may be asked about a token in this tenant. */
  questions(token: string): Question[];
}

/** A token as its holder has it, and where its row is. */
export interface Held {
  readonly token: string;
  readonly tokenId: string;
  /** The row's. */
  readonly id: string;
}

const ttl = { seconds: 3_600n };

/** Every method, by its name in the contract. */
export const namedMethods = Object.entries(TokenMethod).filter(([name]) => name !== 'UNSPECIFIED');
export const methods = namedMethods.map(([, method]) => method);
/** Those that take a tenant's signing key. */
export const signedMethods: readonly TokenMethod[] = [TokenMethod.ENCRYPTED, TokenMethod.SIGNED, TokenMethod.SPLIT];

export async function openScene(stack: SharedStack): Promise<Scene> {
  const world = await openWorld(stack);
  const { tenantId, audience } = world;
  const { registry } = world.operator;
  const lowApp = unique('low-app');
  const grants = [{ audience, scopes: ['orders:read'] }];
  const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
  await registry.createApp({ app: { appId: lowApp, tenantId, ...kind, grants, methods } });
  const confidant = `https://${unique('confidant')}.example.com`;
  const releasedClaims = ['name', 'email', 'phone'];
  await registry.createResourceServer({
    resourceServer: { audience: confidant, tenantId, scopes: scopes.map((name) => ({ name })), releasedClaims },
  });
  const { credential } = await registry.issueCredential({
    principal: { case: 'resourceServer', value: { audience: confidant } },
    scopes: ['tokens:validate'],
    ttl,
  });
  const manyApp = await world.addApp({ methods });
  const consents = {
    holder: await world.consent({ appId: lowApp, userId: 'mallory', grants }),
    victim: await world.consent({ appId: manyApp, userId: 'grace' }),
  };
  const holder: Scene['holder'] = async (over) =>
    held(await world.issue({ appId: lowApp, userId: 'mallory', claims: { name: 'M' }, ...over }));
  const victim: Scene['victim'] = async (over) =>
    held(await world.issue({ userId: 'grace', scopes, claims: { name: 'Grace' }, ...over }));
  return {
    ...world,
    lowApp,
    manyApp,
    consents,
    confidant: { audience: confidant, clients: clientsOf(stack, credential) },
    holder,
    victim,
    holderOf: (method, over) => holder({ method, consentId: consents.holder, ...over }),
    victimOf: (method, over) => victim({ method, appId: manyApp, consentId: consents.victim, ...over }),
    questions: (token) => [
      ...scopes.map((scope) => ({ token, scope, audience, credential: world.resourceServer.credential })),
      { token, scope: 'orders:read', audience: confidant, credential },
    ],
  };
}

/** Whoever remembers the tenant's registry, or its keys, until its version has risen looks again. */
export const lookAgain = (attacker: Attacker, { tenantId }: Scene): Promise<number> =>
  attacker.write('update tenant set registry_version = registry_version + 1 where tenant_id = $1', [tenantId]);

export function held({ token, tokenId }: { readonly token: string; readonly tokenId: string }): Held {
  const id = parseTokenId(tokenId)?.key.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  if (!id) throw new Error('this is no token id');
  return { token, tokenId, id };
}

/** `done`, or the code of the error. */
export const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error) => Code[ConnectError.from(error).code],
  );
