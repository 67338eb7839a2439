import { randomUUID } from 'node:crypto';
import { create, type DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { assertions } from '@touchstone/client';
import {
  type CallerIdentity,
  CallerIdentitySchema,
  ConsentService,
  type IdentityService,
  IdentityServiceSchema,
  IssuerService,
  RegistryService,
  type ResourceServer,
  RevocationService,
  type Tenant,
  ValidatorService,
} from '@touchstone/contracts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { SharedStack } from '../harness/shared-stack.ts';
import type { Clients, World } from '../harness/world.ts';
import type { Certificate } from './support-certificates.ts';

/** A key that a client shows who it is by. */
export interface ClientKey {
  readonly kid: string;
  readonly alg: string;
  /** Its public half, as it is registered. */
  readonly jwk: string;
  readonly privateJwk: string;
  /** An assertion of the client, with other claims or another header where that is said; undefined leaves one out. */
  assertion(client: string, over?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
}

export async function openClientKey(kid: string, alg: 'EdDSA' | 'ES256' | 'RS256' = 'EdDSA'): Promise<ClientKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    kid,
    alg,
    jwk: JSON.stringify({ ...(await exportJWK(publicKey)), kid }),
    privateJwk: JSON.stringify({ ...(await exportJWK(privateKey)), kid }),
    assertion: (client, over = {}, header = {}) =>
      new SignJWT(claimsOf(client, over)).setProtectedHeader({ alg, kid, ...header }).sign(privateKey),
  };
}

/** What an assertion of the client says. */
export function claimsOf(client: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const aud = 'touchstone';
  return { iss: client, sub: client, aud, jti: randomUUID(), iat: now, exp: now + 60, ...over };
}

/** The services, for a caller that sends these headers, made anew for each call, and shows this certificate. */
export function clientsSending(
  stack: SharedStack,
  headers: () => Promise<Readonly<Record<string, string>>>,
  tls: { readonly ca: string; readonly certificate: Certificate | null } | null = null,
): Clients {
  const send: Interceptor = (next) => async (request) => {
    for (const [name, value] of Object.entries(await headers())) request.header.set(name, value);
    return next(request);
  };
  const { certificate, ca } = tls ?? {};
  const nodeOptions = tls ? { ca, ...(certificate ? { cert: certificate.pem, key: certificate.key } : {}) } : {};
  const of = <Service extends DescService>(service: Service, grpc: string): Client<Service> =>
    createClient(
      service,
      createGrpcTransport({ baseUrl: `${tls ? 'https' : 'http'}://${grpc}`, interceptors: [send], nodeOptions }),
    );
  return {
    credential: '',
    issuer: of(IssuerService, stack.issuer),
    registry: of(RegistryService, stack.issuer),
    consents: of(ConsentService, stack.issuer),
    validator: of(ValidatorService, stack.validator),
    revocation: of(RevocationService, stack.revocation),
  };
}

/** The services, for a client that signs an assertion for each call. */
export function clientsAsserting(stack: SharedStack, client: string, { privateJwk, alg }: ClientKey): Clients {
  const assertion = assertions(client, { ...JSON.parse(privateJwk), alg });
  return clientsSending(stack, async () => ({ authorization: `Bearer ${await assertion()}` }));
}

/** The kinds of callers that can show who they are without a credential, with the scopes that each has here. */
export const clientKinds = {
  app: ['tokens:issue:self'],
  resource_server: ['tokens:validate'],
  identity_service: ['tokens:issue', 'consents:write'],
} as const;
export type ClientKind = keyof typeof clientKinds;

/** What a client is called. */
export const nameOf = (kind: ClientKind, { tenantId, appId, audience }: World): string =>
  ({
    app: `app:${appId}`,
    resource_server: `resource_server:${audience}`,
    identity_service: `identity_service:${tenantId}/login`,
  })[kind];

type Method = { readonly case: 'jwk' | 'certificateSha256' | 'spiffeId'; readonly value: string };

/** As it is registered. */
export const identity = (method: Method, scopes: readonly string[]): CallerIdentity =>
  create(CallerIdentitySchema, { method, scopes: [...scopes] });

/** As it is registered. */
export const identityService = (name: string, identities: CallerIdentity[]): IdentityService =>
  create(IdentityServiceSchema, { name, identities });

/** Registers how the world's client of this kind shows who it is; what it had before is gone. */
export async function identify(
  { operator: { registry }, changeApp, tenantId, appId, audience }: World,
  kind: ClientKind,
  methods: readonly Method[],
  scopes: readonly string[] = clientKinds[kind],
): Promise<void> {
  const identities = methods.map((method) => identity(method, scopes));
  if (kind === 'app') {
    await changeApp(appId, { identities });
  } else if (kind === 'resource_server') {
    const { resourceServer } = await registry.getResourceServer({ audience });
    await registry.updateResourceServer({ resourceServer: { ...(resourceServer as ResourceServer), identities } });
  } else {
    const { tenant } = await registry.getTenant({ tenantId });
    const identityServices = identities.length > 0 ? [identityService('login', identities)] : [];
    await registry.updateTenant({ tenant: { ...(tenant as Tenant), identityServices } });
  }
}

type Call = (clients: Clients, own: World, foreign: World) => Promise<unknown>;
type Row = readonly [what: string, call: Call, allowed: readonly ClientKind[]];

const alone = { userId: '', claims: {} };
const validation = ({ audience }: World) => ({ token: 'tks_rubbish', audience, requiredScopes: ['orders:read'] });

export const recordConsent = ({ consents }: Clients, { tenantId, appId, audience }: World): Promise<unknown> =>
  consents.recordConsent({
    ...{ tenantId, appId, userId: 'ada', ttl: { seconds: 60n }, idempotencyKey: randomUUID() },
    grants: [{ audience, scopes: ['orders:read'] }],
  });

/** What the kinds may do, each in its own tenant and for itself, and nobody else anywhere. */
export const rights: readonly Row[] = [
  ['a token for an app', ({ issuer }, own) => issuer.issueToken(own.request(alone)), ['app', 'identity_service']],
  ['a token for a user', ({ issuer }, own) => issuer.issueToken(own.request()), ['identity_service']],
  ['a consent', recordConsent, ['identity_service']],
  ['a validation', ({ validator }, own) => validator.validateToken(validation(own)), ['resource_server']],
  [
    'a revocation of its own token',
    async ({ issuer, revocation }, own) => {
      const { token } = await issuer.issueToken(own.request(alone));
      await revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
    },
    ['app'],
  ],
  ['a look into the registry', ({ registry }, { tenantId }) => registry.getTenant({ tenantId }), []],
  ['a change of the registry', ({ registry }) => registry.disableTenant({ tenantId: 'x' }), []],
  [
    'a credential',
    ({ registry }, { appId }) =>
      registry.issueCredential({
        principal: { case: 'app', value: { appId } },
        scopes: ['tokens:issue:self'],
        ttl: { seconds: 60n },
      }),
    [],
  ],
  [
    'a revocation of all of an app',
    ({ revocation }, { appId }) =>
      revocation.revokeTokens({
        target: { target: { case: 'app', value: { appId } } },
        reason: 'test',
        idempotencyKey: randomUUID(),
      }),
    [],
  ],
  ["a token in another's tenant", ({ issuer }, _, foreign) => issuer.issueToken(foreign.request(alone)), []],
  ["a validation for another's API", ({ validator }, _, foreign) => validator.validateToken(validation(foreign)), []],
];
