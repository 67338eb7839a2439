import type { Client } from '@connectrpc/connect';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import {
  ConsentService,
  IssuerService,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';
import type { IssuedCredential } from '@touchstone/core';
import { bootstrapOperator } from '@touchstone/replica';
import { vi } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { type Clients, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { unknownString } from './support-strings.ts';

/** Callers that have shown a credential, by their kind and what they may. */
const known = [
  'identity service',
  'identity service without tokens:issue',
  'app',
  'resource server',
  'resource server without tokens:validate',
  'operator',
  'operator with registry:write alone',
  'operator with credentials:issue alone',
  'operator with tokens:revoke alone',
  'operator with none of these',
  'platform operator',
  'auditor',
] as const;
/** Callers that nobody knows; the credential that is refused is of a caller that would be allowed. */
const unknown = ['nobody', 'made-up credential', 'ordinary token', 'expired credential', 'revoked credential'] as const;

export type Known = (typeof known)[number];
export type Unknown = (typeof unknown)[number];
export const knownKinds: readonly Known[] = known;
export const unknownKinds: readonly Unknown[] = unknown;

const operatorScopes = [
  'registry:read',
  'registry:write',
  'credentials:issue',
  'tokens:revoke',
  'tokens:explain',
  'drills:run',
];

/** Makes an operator's credential as the bootstrap command does. */
export const bootstrapCredential = (
  { adminUrl, masterKeyFile }: SharedStack,
  tenantIds: readonly string[],
  scopes: readonly string[],
  { ttl = 3_600, name = unique('operator') } = {},
): Promise<IssuedCredential> =>
  bootstrapOperator(
    { name, tenantIds, scopes, ttl, replace: false },
    { databaseUrl: adminUrl, keys: { MASTER_KEY_FILE: masterKeyFile } },
  );

/** The services for a caller that shows no credential. */
function clientsWithout(stack: SharedStack): Clients {
  const at = (grpc: string) => createGrpcTransport({ baseUrl: `http://${grpc}` });
  return {
    credential: '',
    issuer: createClient(IssuerService, at(stack.issuer)) as Client<typeof IssuerService>,
    registry: createClient(RegistryService, at(stack.issuer)),
    consents: createClient(ConsentService, at(stack.issuer)) as Client<typeof ConsentService>,
    validator: createClient(ValidatorService, at(stack.validator)),
    revocation: createClient(RevocationService, at(stack.revocation)),
  };
}

/** Every kind of caller, in one tenant among others. */
export interface Callers {
  readonly own: World;
  readonly foreign: World;
  /** Another app of the own tenant. */
  readonly otherApp: string;
  /** Another resource server of the own tenant. */
  readonly otherAudience: string;
  /** The clients of a caller; a refused credential is one of `instead`, which would be allowed. */
  of(kind: Known | Unknown, instead: Known): Clients;
  /** A name for a tenant that all operators may act in, and that does not exist yet. */
  spareTenantId(): string;
  /** Such a tenant, which does. */
  spareTenant(): Promise<string>;
}

export async function openCallers(stack: SharedStack): Promise<Callers> {
  const [own, foreign] = await Promise.all([openWorld(stack), openWorld(stack)]);
  const { tenantId } = own;
  const spares = Array.from({ length: 500 }, () => unique('spare'));
  const tenantIds = [tenantId, ...spares];
  const operator = async (scopes: readonly string[], ttl = 3_600) =>
    clientsOf(stack, (await bootstrapCredential(stack, tenantIds, scopes, { ttl })).credential);
  const credential = async (request: Parameters<Clients['registry']['issueCredential']>[0]) =>
    clientsOf(stack, (await own.operator.registry.issueCredential(request)).credential);

  const identity = { case: 'identityService', value: { tenantId, name: 'identity' } } as const;
  const resourceServer = { case: 'resourceServer', value: { audience: own.audience } } as const;
  const clients: Record<Known, Clients> = {
    'identity service': own.identity,
    'identity service without tokens:issue': await credential({
      principal: identity,
      scopes: ['consents:write'],
      ttl: { seconds: 3_600n },
    }),
    app: own.app,
    'resource server': own.resourceServer,
    'resource server without tokens:validate': await credential({
      principal: resourceServer,
      scopes: ['tokens:explain'],
      ttl: { seconds: 3_600n },
    }),
    operator: await operator(operatorScopes),
    'operator with registry:write alone': await operator(['registry:write']),
    'operator with credentials:issue alone': await operator(['credentials:issue']),
    'operator with tokens:revoke alone': await operator(['tokens:revoke']),
    'operator with none of these': await operator(['registry:read', 'tokens:explain', 'drills:run']),
    'platform operator': await operator(['tokens:revoke_all']),
    auditor: own.auditor,
  };

  const refused = async (seconds: number): Promise<Partial<Record<Known, Clients>>> => ({
    'identity service': await credential({
      principal: identity,
      scopes: ['tokens:issue'],
      ttl: { seconds: BigInt(seconds) },
    }),
    app: await credential({
      principal: { case: 'app', value: { appId: own.appId } },
      scopes: ['tokens:issue:self'],
      ttl: { seconds: BigInt(seconds) },
    }),
    'resource server': await credential({
      principal: resourceServer,
      scopes: ['tokens:validate'],
      ttl: { seconds: BigInt(seconds) },
    }),
    operator: await operator(operatorScopes, seconds),
    'platform operator': await operator(['tokens:revoke_all'], seconds),
  });
  const [expired, revoked] = await Promise.all([refused(1), refused(3_600)]);
  const recovery = clientsOf(
    stack,
    (await bootstrapCredential(stack, tenantIds, ['tokens:revoke', 'tokens:revoke_all'])).credential,
  );
  const ordinary = clientsOf(stack, (await own.issue()).token);
  const madeUp = clientsOf(stack, await unknownString(stack, { tokenClass: 'credential', audience: 'touchstone' }));
  await Promise.all(Object.values(revoked).map((one) => cutOff(recovery, one.credential)));
  await Promise.all(Object.values(expired).map(untilRefused));

  let taken = 0;
  const spareTenantId = () => spares[taken++] ?? 'there are too few';
  return {
    own,
    foreign,
    otherApp: await own.addApp(),
    otherAudience: await addAudience(own),
    of(kind, instead) {
      if (kind === 'nobody') return clientsWithout(stack);
      if (kind === 'made-up credential') return madeUp;
      if (kind === 'ordinary token') return ordinary;
      if (kind === 'expired credential') return expired[instead] as Clients;
      if (kind === 'revoked credential') return revoked[instead] as Clients;
      return clients[kind];
    },
    spareTenantId,
    async spareTenant() {
      const id = spareTenantId();
      await clients.operator.registry.createTenant({ tenant: { tenantId: id } });
      return id;
    },
  };
}

const cutOff = ({ revocation }: Clients, credential: string) =>
  revocation.revokeToken({ tokenOrId: { case: 'token', value: credential }, reason: 'test' });

/** Resolves once no service honours the credential any more. */
export async function untilRefused({ issuer, validator, revocation }: Clients): Promise<void> {
  const calls = [
    () => issuer.batchIssueTokens({}),
    () => validator.batchValidateTokens({}),
    () => revocation.getRevocation({ revocationId: 'rvk_0' }),
  ];
  for (const call of calls) {
    await vi.waitUntil(async () => (await failureOf(call())).reason === 'CALLER_UNKNOWN', {
      timeout: 5_000,
      interval: 50,
    });
  }
}

/** Registers another resource server. */
export async function addAudience({ operator, tenantId }: World, over: Record<string, unknown> = {}): Promise<string> {
  const audience = `https://${unique('api')}.example.com`;
  await operator.registry.createResourceServer({
    resourceServer: { audience, tenantId, scopes: [{ name: 'orders:read' }], ...over },
  });
  return audience;
}
