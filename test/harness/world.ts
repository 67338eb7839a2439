import { randomBytes } from 'node:crypto';
import type { Message, MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import {
  ClientType,
  ConsentService,
  HostingType,
  type IssueCredentialRequestSchema,
  IssuerService,
  type IssueTokenRequestSchema,
  RegistryService,
  RevocationService,
  Usage,
  ValidatorService,
} from '@touchstone/contracts';
import { clientOf } from '@touchstone/local-stack';
import { bootstrapOperator } from '@touchstone/replica';
import type { SharedStack } from './shared-stack.ts';

/** The services, as one caller sees them. */
export interface Clients {
  readonly credential: string;
  readonly issuer: Client<typeof IssuerService>;
  readonly registry: Client<typeof RegistryService>;
  readonly consents: Client<typeof ConsentService>;
  readonly validator: Client<typeof ValidatorService>;
  readonly revocation: Client<typeof RevocationService>;
}

/** The services for a caller with this credential. */
export const clientsOf = (stack: SharedStack, credential: string): Clients => ({
  credential,
  issuer: clientOf(IssuerService, stack.issuer, credential),
  registry: clientOf(RegistryService, stack.issuer, credential),
  consents: clientOf(ConsentService, stack.issuer, credential),
  validator: clientOf(ValidatorService, stack.validator, credential),
  revocation: clientOf(RevocationService, stack.revocation, credential),
});

type IssueRequest = Exclude<MessageInitShape<typeof IssueTokenRequestSchema>, Message>;

/** A tenant with an app and a resource server, and a caller of each kind. */
export interface World {
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
  readonly operator: Clients;
  readonly identity: Clients;
  readonly app: Clients;
  readonly resourceServer: Clients;
  readonly auditor: Clients;
  /** A request for a token of the world's app, for a user. */
  request(over?: Record<string, unknown>): IssueRequest;
  /** Issues such a token. */
  issue(over?: Record<string, unknown>): ReturnType<Clients['issuer']['issueToken']>;
  /** What the resource server is told of a token. */
  validate(token: string, scope?: string): ReturnType<Clients['validator']['validateToken']>;
  /** Another app of the tenant. */
  addApp(over?: Record<string, unknown>): Promise<string>;
  /** Changes an app of the tenant. @returns the revision from which on that holds; empty: nothing changed. */
  changeApp(appId: string, over: Record<string, unknown>): Promise<string>;
  /** The consent of user ada, or another, to an app. */
  consent(over?: Record<string, unknown>): Promise<string>;
}

export const scopes = ['orders:read', 'orders:write'];
/** Of credentials, and of tokens that must outlive a clock that is set: longer than any is set by. */
export const longLife = { seconds: 43_200n };

/** A name that no other test uses. */
export const unique = (prefix: string): string => `${prefix}-${randomBytes(5).toString('hex')}`;

/** A credential straight from the database and the master key, as the bootstrap command makes it. */
export async function bootstrapped(
  stack: SharedStack,
  tenantIds: readonly string[],
  more: readonly string[] = [],
): Promise<Clients> {
  const command = {
    name: unique('operator'),
    tenantIds,
    scopes: ['registry:write', 'registry:read', 'credentials:issue', 'tokens:revoke', 'tokens:explain', ...more],
    ttl: 86_400,
    replace: false,
  };
  const { credential } = await bootstrapOperator(command, {
    databaseUrl: stack.adminUrl,
    keys: { MASTER_KEY_FILE: stack.masterKeyFile },
  });
  return clientsOf(stack, credential);
}

/** Makes a tenant of its own for a test, with all that belongs to it. */
export async function openWorld(
  stack: SharedStack,
  limits: { readonly tokenTtlMax?: typeof longLife } = {},
): Promise<World> {
  const tenantId = unique('tenant');
  const audience = `https://${unique('orders')}.example.com`;
  const operator = await bootstrapped(stack, [tenantId]);
  const { registry } = operator;
  await registry.createTenant({ tenant: { tenantId, firstPartyWithoutConsent: true, ...limits } });
  const resourceServer = {
    audience,
    tenantId,
    scopes: scopes.map((name) => ({ name })),
    releasedClaims: ['name', 'email'],
  };
  await registry.createResourceServer({ resourceServer });
  const addApp = async (over: Record<string, unknown> = {}) => {
    const appId = unique('app');
    await registry.createApp({
      app: {
        appId,
        tenantId,
        clientType: ClientType.WEB,
        hostingType: HostingType.FIRST_PARTY,
        grants: [{ audience, scopes }],
        ...over,
      },
    });
    return appId;
  };
  const appId = await addApp();
  const credential = async (request: Partial<MessageInitShape<typeof IssueCredentialRequestSchema>>) =>
    clientsOf(
      stack,
      (
        await registry.issueCredential({ ttl: longLife, ...request } as MessageInitShape<
          typeof IssueCredentialRequestSchema
        >)
      ).credential,
    );

  const world: World = {
    tenantId,
    appId,
    audience,
    operator,
    identity: await credential({
      principal: { case: 'identityService', value: { tenantId, name: 'identity' } },
      scopes: ['tokens:issue', 'consents:write'],
    }),
    app: await credential({ principal: { case: 'app', value: { appId } }, scopes: ['tokens:issue:self'] }),
    resourceServer: await credential({
      principal: { case: 'resourceServer', value: { audience } },
      scopes: ['tokens:validate'],
    }),
    auditor: await credential({
      principal: { case: 'auditor', value: { name: 'auditor', tenantIds: [tenantId] } },
      scopes: ['audit:read'],
    }),
    request: (over = {}) => ({
      tenantId,
      appId,
      userId: 'ada',
      audience,
      scopes: ['orders:read'],
      usage: Usage.INTERACTIVE,
      claims: { name: 'Ada', email: 'ada@example.org', phone: '555' },
      ...over,
    }),
    issue: (over) => world.identity.issuer.issueToken(world.request(over)),
    validate: (token, scope = 'orders:read') =>
      world.resourceServer.validator.validateToken({ token, audience, requiredScopes: [scope] }),
    addApp,
    async changeApp(id, over) {
      const { app } = await registry.getApp({ appId: id });
      if (!app) throw new Error('there is no app');
      return (await registry.updateApp({ app: { ...app, ...over } })).revision;
    },
    async consent(over = {}) {
      const { consent } = await world.identity.consents.recordConsent({
        tenantId,
        appId,
        userId: 'ada',
        grants: [{ audience, scopes }],
        ttl: { seconds: 3_600n },
        idempotencyKey: unique('consent'),
        ...over,
      });
      if (!consent) throw new Error('there is no consent');
      return consent.consentId;
    },
  };
  return world;
}
