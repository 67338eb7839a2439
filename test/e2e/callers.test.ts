import type { DescService } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import * as contracts from '@touchstone/contracts';
import { ClientType, HostingType } from '@touchstone/contracts';
import { type CallerKind, scopesOfKind } from '@touchstone/core';
import { freePorts, openTemporaryFolder, startStack } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SharedStack, shared } from '../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import {
  addAudience,
  bootstrapCredential,
  type Callers,
  type Known,
  knownKinds,
  openCallers,
  type Unknown,
  unknownKinds,
  untilRefused,
} from './support-callers.ts';
import { failureOf, outcomeInBatch, outcomeOf } from './support-outcome.ts';
import { unknownString } from './support-strings.ts';

// A stack of its own: revoking all that there is would take the tokens of the other tests.
let stack: SharedStack;
let callers: Callers;
let own: World;
let foreign: World;
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  const { path: folder } = resources.use(await openTemporaryFolder());
  stack = shared(resources.use(await startStack({ folder, ports: await freePorts(), kafka: null })));
  callers = await openCallers(stack);
  ({ own, foreign } = callers);
});
afterAll(() => resources.disposeAsync());

const denied = 'PermissionDenied CALLER_NOT_ALLOWED';
const notFound = (what: string) => `NotFound ${what}_UNKNOWN`;
const ttl = { seconds: 60n };

/** What each kind of caller is told; a kind that is not named may not. */
type Outcomes = Partial<Record<Known, string>>;
type Row = readonly [rpc: string, target: string, call: (clients: Clients) => Promise<unknown>, outcomes: Outcomes];

const issuers = (identity: string, app: string): Outcomes => ({ 'identity service': identity, app });
const registrars = (outcome: string): Outcomes => ({
  operator: outcome,
  'operator with registry:write alone': outcome,
});
const makers = (outcome: string, narrow = outcome): Outcomes => ({
  operator: outcome,
  'operator with credentials:issue alone': narrow,
});
const revokers = (operator: string, more: Outcomes = {}): Outcomes => ({
  operator,
  'operator with tokens:revoke alone': operator,
  ...more,
});
/** Who may read of a revocation, beside whom nobody is told that there is one. */
const readers = (operator: string, more: Outcomes = {}): Outcomes =>
  revokers(operator, {
    'identity service': notFound('REVOCATION'),
    'identity service without tokens:issue': notFound('REVOCATION'),
    'platform operator': notFound('REVOCATION'),
    ...more,
  });
const consenters = (outcome: string): Outcomes => ({
  'identity service': outcome,
  'identity service without tokens:issue': outcome,
});
const validators = (outcome: string): Outcomes => ({ 'resource server': outcome });

type IssueOver = Record<string, unknown>;
const alone = { userId: '', claims: {} };
const issue =
  (over: () => IssueOver) =>
  ({ issuer }: Clients) =>
    issuer.issueToken(own.request(over()));
const issueInBatch =
  (over: () => IssueOver) =>
  ({ issuer }: Clients) =>
    outcomeInBatch(issuer.batchIssueTokens({ requests: [own.request(over())] }));

const issueTargets: readonly (readonly [string, () => IssueOver, Outcomes])[] = [
  ['for a user', () => ({}), issuers('ok', denied)],
  ['for an app alone', () => alone, issuers('ok', 'ok')],
  ['with claims, for an app alone', () => ({ userId: '' }), issuers('ok', denied)],
  ['for another app', () => ({ ...alone, appId: callers.otherApp }), issuers('ok', denied)],
  ["for another tenant's app", () => ({ ...alone, appId: foreign.appId }), issuers(notFound('APP'), denied)],
  [
    "for another tenant's audience",
    () => ({ ...alone, audience: foreign.audience }),
    issuers(notFound('AUDIENCE'), notFound('AUDIENCE')),
  ],
  ['in another tenant', () => foreign.request(alone) as IssueOver, issuers(denied, denied)],
  ['in a tenant that does not exist', () => ({ ...alone, tenantId: unique('none') }), issuers(denied, denied)],
  [
    'for Touchstone itself',
    () => ({ ...alone, audience: 'touchstone' }),
    issuers(notFound('AUDIENCE'), notFound('AUDIENCE')),
  ],
];

const validation = (audience: string) => ({ token: 'tks_rubbish', audience, requiredScopes: ['orders:read'] });
const validationTargets: readonly (readonly [string, () => string, Outcomes])[] = [
  ['for its own audience', () => own.audience, validators('ok')],
  ['for another audience of its tenant', () => callers.otherAudience, validators(denied)],
  ["for another tenant's audience", () => foreign.audience, validators(denied)],
  ['for Touchstone itself', () => 'touchstone', validators(denied)],
];

const app = (tenantId: string, over: object = {}) => ({
  app: { appId: unique('app'), tenantId, clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY, ...over },
});
const resourceServer = (tenantId: string) => ({
  resourceServer: { audience: unique('api'), tenantId, scopes: [{ name: 'orders:read' }] },
});

const registryRows: readonly Row[] = [
  [
    'RegistryService.CreateTenant',
    'that it names',
    ({ registry }) => registry.createTenant({ tenant: { tenantId: callers.spareTenantId() } }),
    registrars('ok'),
  ],
  [
    'RegistryService.CreateTenant',
    'that it does not name',
    ({ registry }) => registry.createTenant({ tenant: { tenantId: unique('none') } }),
    registrars(denied),
  ],
  [
    'RegistryService.DisableTenant',
    'that it names',
    async ({ registry }) => registry.disableTenant({ tenantId: await callers.spareTenant() }),
    registrars('ok'),
  ],
  [
    'RegistryService.DisableTenant',
    'that it does not name',
    ({ registry }) => registry.disableTenant({ tenantId: foreign.tenantId }),
    registrars(notFound('TENANT')),
  ],
  [
    'RegistryService.DisableTenant',
    'that does not exist',
    ({ registry }) => registry.disableTenant({ tenantId: callers.spareTenantId() }),
    registrars(notFound('TENANT')),
  ],
  [
    'RegistryService.CreateApp',
    'in its tenant',
    ({ registry }) => registry.createApp(app(own.tenantId)),
    registrars('ok'),
  ],
  [
    'RegistryService.CreateApp',
    'in another tenant',
    ({ registry }) => registry.createApp(app(foreign.tenantId)),
    registrars(denied),
  ],
  [
    'RegistryService.CreateApp',
    "with another tenant's audience",
    ({ registry }) =>
      registry.createApp(app(own.tenantId, { grants: [{ audience: foreign.audience, scopes: ['orders:read'] }] })),
    registrars(notFound('AUDIENCE')),
  ],
  [
    'RegistryService.DisableApp',
    'of its tenant',
    async ({ registry }) => registry.disableApp({ appId: await own.addApp() }),
    registrars('ok'),
  ],
  [
    'RegistryService.DisableApp',
    'of another tenant',
    ({ registry }) => registry.disableApp({ appId: foreign.appId }),
    registrars(notFound('APP')),
  ],
  [
    'RegistryService.CreateResourceServer',
    'in its tenant',
    ({ registry }) => registry.createResourceServer(resourceServer(own.tenantId)),
    registrars('ok'),
  ],
  [
    'RegistryService.CreateResourceServer',
    'in another tenant',
    ({ registry }) => registry.createResourceServer(resourceServer(foreign.tenantId)),
    registrars(denied),
  ],
  [
    'RegistryService.DisableResourceServer',
    'of its tenant',
    async ({ registry }) => registry.disableResourceServer({ audience: await addAudience(own) }),
    registrars('ok'),
  ],
  [
    'RegistryService.DisableResourceServer',
    'of another tenant',
    ({ registry }) => registry.disableResourceServer({ audience: foreign.audience }),
    registrars(notFound('AUDIENCE')),
  ],
];

type CredentialRequest = Parameters<Clients['registry']['issueCredential']>[0];
/** A request for a credential of each kind, in the tenant of a world. */
const credentialFor: Readonly<Record<CallerKind, (world: World) => CredentialRequest>> = {
  identity_service: ({ tenantId }) => ({
    principal: { case: 'identityService', value: { tenantId, name: 'identity' } },
    scopes: ['tokens:issue'],
    ttl,
  }),
  app: ({ appId }) => ({ principal: { case: 'app', value: { appId } }, scopes: ['tokens:issue:self'], ttl }),
  resource_server: ({ audience }) => ({
    principal: { case: 'resourceServer', value: { audience } },
    scopes: ['tokens:validate'],
    ttl,
  }),
  operator: ({ tenantId }) => ({
    principal: { case: 'operator', value: { name: 'new', tenantIds: [tenantId] } },
    scopes: ['registry:read'],
    ttl,
  }),
  auditor: ({ tenantId }) => ({
    principal: { case: 'auditor', value: { name: 'new', tenantIds: [tenantId] } },
    scopes: ['audit:read'],
    ttl,
  }),
};
const inForeign: Readonly<Record<CallerKind, string>> = {
  identity_service: denied,
  app: notFound('APP'),
  resource_server: notFound('AUDIENCE'),
  operator: denied,
  auditor: denied,
};
const kinds = Object.keys(credentialFor) as CallerKind[];
const explaining = (world: World): CredentialRequest => ({
  ...credentialFor.resource_server(world),
  scopes: ['tokens:validate', 'tokens:explain'],
});
const explainingRow: Row = [
  'RegistryService.IssueCredential',
  'of a resource server that may know why, in its tenant',
  ({ registry }) => registry.issueCredential(explaining(own)),
  makers('ok', 'PermissionDenied CREDENTIAL_NOT_ALLOWED'),
];
const credentialRows: readonly Row[] = kinds.flatMap((kind): Row[] => [
  [
    'RegistryService.IssueCredential',
    `of kind ${kind} in its tenant`,
    ({ registry }) => registry.issueCredential(credentialFor[kind](own)),
    makers('ok', kind === 'operator' ? 'PermissionDenied CREDENTIAL_NOT_ALLOWED' : 'ok'),
  ],
  [
    'RegistryService.IssueCredential',
    `of kind ${kind} in another tenant`,
    ({ registry }) => registry.issueCredential(credentialFor[kind](foreign)),
    makers(inForeign[kind]),
  ],
]);

type Token = Promise<{ readonly token: string; readonly tokenId: string }>;
const credentialIn = async (world: World, kind: CallerKind = 'identity_service'): Token => {
  const { credential, tokenId } = await world.operator.registry.issueCredential(credentialFor[kind](world));
  return { token: credential, tokenId };
};
const platformCredential = async (): Token => {
  const { credential, tokenId } = await bootstrapCredential(stack, [own.tenantId, foreign.tenantId], ['registry:read']);
  return { token: credential, tokenId };
};
const unknownTokenId = `tok_${'0'.repeat(26)}`;
const nothing = async (): Token => ({ token: await unknownString(stack), tokenId: unknownTokenId });

const unknownToAll = revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN'), app: notFound('TOKEN') });

/** By the string, and by the id, of which an app can name none. */
const tokenTargets: readonly (readonly [target: string, token: () => Token, byString: Outcomes, byId: Outcomes])[] = [
  [
    "a user's token of the app",
    () => own.issue(),
    revokers('ok', { 'identity service': 'ok', app: 'ok' }),
    revokers('ok', { 'identity service': 'ok' }),
  ],
  ["the app's token without a user", () => own.issue(alone), revokers('ok', { app: 'ok' }), revokers('ok')],
  [
    'a token of another app',
    () => own.issue({ appId: callers.otherApp }),
    revokers('ok', { 'identity service': 'ok' }),
    revokers('ok', { 'identity service': 'ok' }),
  ],
  [
    "another tenant's token",
    () => foreign.issue(),
    unknownToAll,
    revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN') }),
  ],
  ['another credential of the identity service', () => credentialIn(own), revokers('ok'), revokers('ok')],
  [
    "another tenant's credential",
    () => credentialIn(foreign),
    unknownToAll,
    revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN') }),
  ],
  [
    "another operator's credential, for several tenants",
    () => platformCredential(),
    unknownToAll,
    revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN') }),
  ],
  ['another credential of the app', () => credentialIn(own, 'app'), revokers('ok'), revokers('ok')],
  [
    'another credential of the resource server',
    () => credentialIn(own, 'resource_server'),
    revokers('ok'),
    revokers('ok'),
  ],
  [
    'a token that may be alive, without a record',
    nothing,
    unknownToAll,
    revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN') }),
  ],
  [
    'a token whose day is over, without a record',
    async () => ({ token: await unknownString(stack, { expiresAt: 0 }), tokenId: unknownTokenId }),
    revokers('ok', { 'identity service': 'ok', app: 'ok' }),
    revokers(notFound('TOKEN'), { 'identity service': notFound('TOKEN') }),
  ],
];
const revokeTokenRows: readonly Row[] = tokenTargets.flatMap(([target, make, byString, byId]): Row[] => [
  [
    'RevocationService.RevokeToken',
    `${target}, by its string`,
    async ({ revocation }) => revocation.revokeToken({ tokenOrId: { case: 'token', value: (await make()).token } }),
    byString,
  ],
  [
    'RevocationService.RevokeToken',
    `${target}, by its id`,
    async ({ revocation }) => revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: (await make()).tokenId } }),
    byId,
  ],
]);

type Target = NonNullable<NonNullable<Parameters<Clients['revocation']['revokeTokens']>[0]['target']>['target']>;
const revoke = ({ revocation }: Clients, target: Target, includeCredentials = false) =>
  revocation.revokeTokens({
    target: { target },
    reason: 'test',
    idempotencyKey: unique('incident'),
    includeCredentials,
  });

/** A key that signs the tenant's tokens. */
async function signingKeyOf({ operator, tenantId }: World): Promise<string> {
  const { active } = await operator.registry.rotateSigningKey({ tenantId });
  return active?.signingKeyId ?? '';
}

/** With what is read of such a revocation afterwards; null: there is none to read. */
const bulkTargets: readonly (readonly [
  target: string,
  make: () => Promise<Target> | Target,
  revoked: Outcomes,
  read: Outcomes | null,
])[] = [
  [
    'a user of its tenant',
    () => ({ case: 'user', value: { tenantId: own.tenantId, userId: unique('user') } }),
    revokers('ok', { 'identity service': 'ok' }),
    readers('ok', { 'identity service': 'ok' }),
  ],
  [
    'a user of another tenant',
    () => ({ case: 'user', value: { tenantId: foreign.tenantId, userId: 'ada' } }),
    revokers(denied),
    null,
  ],
  [
    'an app of its tenant',
    async () => ({ case: 'app', value: { appId: await own.addApp() } }),
    revokers('ok'),
    readers('ok'),
  ],
  [
    'an app of another tenant',
    () => ({ case: 'app', value: { appId: foreign.appId } }),
    revokers(notFound('APP')),
    null,
  ],
  [
    'an app of its tenant for a user',
    () => ({ case: 'appUser', value: { appId: own.appId, userId: unique('user') } }),
    revokers('ok', { 'identity service': 'ok' }),
    readers('ok', { 'identity service': 'ok' }),
  ],
  [
    'an app of another tenant for a user',
    () => ({ case: 'appUser', value: { appId: foreign.appId, userId: 'ada' } }),
    revokers(notFound('APP'), { 'identity service': notFound('APP') }),
    null,
  ],
  [
    'its tenant',
    async () => ({ case: 'tenant', value: { tenantId: await callers.spareTenant() } }),
    revokers('ok'),
    readers('ok'),
  ],
  ['another tenant', () => ({ case: 'tenant', value: { tenantId: foreign.tenantId } }), revokers(denied), null],
  [
    'a tenant that does not exist',
    () => ({ case: 'tenant', value: { tenantId: callers.spareTenantId() } }),
    revokers(notFound('TENANT')),
    null,
  ],
  [
    'a consent of its tenant',
    async () => ({ case: 'consentId', value: await own.consent() }),
    revokers('ok', consenters('ok')),
    readers('ok', consenters('ok')),
  ],
  [
    'a consent of another tenant',
    async () => ({ case: 'consentId', value: await foreign.consent() }),
    revokers(notFound('CONSENT'), consenters(notFound('CONSENT'))),
    null,
  ],
  [
    'a signing key of its tenant',
    async () => ({ case: 'signingKeyId', value: await signingKeyOf(own) }),
    revokers('ok'),
    readers('ok'),
  ],
  [
    'a signing key of another tenant',
    async () => ({ case: 'signingKeyId', value: await signingKeyOf(foreign) }),
    revokers(notFound('SIGNING_KEY')),
    null,
  ],
  [
    'all',
    () => ({ case: 'all', value: {} }),
    { 'platform operator': 'ok' },
    readers(notFound('REVOCATION'), { 'platform operator': 'ok' }),
  ],
];

/** Makes a revocation for others to read. */
const revokedBy = async (target: Target): Promise<string> => {
  const clients = callers.of(target.case === 'all' ? 'platform operator' : 'operator', 'operator');
  return (await revoke(clients, target)).revocationId;
};

/** The RPCs that tell of a revocation. */
const tellers: readonly [string, (clients: Clients, revocationId: string) => Promise<unknown>][] = [
  ['RevocationService.GetRevocation', ({ revocation }, revocationId) => revocation.getRevocation({ revocationId })],
  [
    'RevocationService.WatchRevocation',
    async ({ revocation }, revocationId) => {
      for await (const told of revocation.watchRevocation({ revocationId })) return told;
      return null;
    },
  ],
];

const bulkRows: readonly Row[] = bulkTargets.flatMap(([target, make, revoked, read]): Row[] => {
  const rpc = 'RevocationService.RevokeTokens';
  const withCredentials = { ...revoked };
  // Only an operator revokes credentials.
  delete withCredentials['identity service'];
  delete withCredentials['identity service without tokens:issue'];
  const rows: Row[] = [
    [rpc, `of ${target}`, async (clients) => revoke(clients, await make()), revoked],
    // What belongs to all would take the callers of the other cells.
    ...(target === 'all'
      ? []
      : ([
          [
            rpc,
            `of ${target}, credentials included`,
            async (clients) => revoke(clients, await make(), true),
            withCredentials,
          ],
        ] as Row[])),
  ];
  if (read) {
    for (const [rpc, tell] of tellers) {
      rows.push([rpc, `of ${target}`, async (clients) => tell(clients, await revokedBy(await make())), read]);
    }
  }
  return rows;
});

/** Each tenant by what is done to it: the own one, and one of others. */
const keyRows: readonly Row[] = [
  ['of its tenant', () => own, 'ok'] as const,
  ['of another tenant', () => foreign, denied] as const,
].flatMap(([target, world, outcome]): Row[] => [
  [
    'RegistryService.ListSigningKeys',
    target,
    ({ registry }) => registry.listSigningKeys({ tenantId: world().tenantId }),
    { operator: outcome, 'operator with none of these': outcome },
  ],
  [
    'RegistryService.RotateSigningKey',
    target,
    ({ registry }) => registry.rotateSigningKey({ tenantId: world().tenantId }),
    registrars(outcome),
  ],
]);

const registryReaders = (outcome: string): Outcomes => ({ operator: outcome, 'operator with none of these': outcome });
const entryTargets = [
  ['of its tenant', () => own, (_: string) => 'ok'],
  ['of another tenant', () => foreign, notFound],
] as const;
const entryRows: readonly Row[] = entryTargets.flatMap(([target, world, outcomeOf]): Row[] => {
  const updates = registrars(target === 'of its tenant' ? 'ok' : denied);
  return [
    [
      'RegistryService.GetTenant',
      target,
      ({ registry }) => registry.getTenant({ tenantId: world().tenantId }),
      registryReaders(outcomeOf('TENANT')),
    ],
    [
      'RegistryService.GetApp',
      target,
      ({ registry }) => registry.getApp({ appId: world().appId }),
      registryReaders(outcomeOf('APP')),
    ],
    [
      'RegistryService.GetResourceServer',
      target,
      ({ registry }) => registry.getResourceServer({ audience: world().audience }),
      registryReaders(outcomeOf('AUDIENCE')),
    ],
    [
      'RegistryService.UpdateTenant',
      target,
      // Others update it at the same time.
      async function update(clients): Promise<unknown> {
        const { tenant } = await world().operator.registry.getTenant({ tenantId: world().tenantId });
        return clients.registry.updateTenant({ tenant: tenant as NonNullable<typeof tenant> }).catch((error) => {
          if (ConnectError.from(error).code !== Code.Aborted) throw error;
          return update(clients);
        });
      },
      updates,
    ],
    [
      'RegistryService.UpdateApp',
      target,
      async ({ registry }) => {
        const { app } = await world().operator.registry.getApp({ appId: await world().addApp() });
        return registry.updateApp({ app: app as NonNullable<typeof app> });
      },
      updates,
    ],
    [
      'RegistryService.UpdateResourceServer',
      target,
      async ({ registry }) => {
        const audience = await addAudience(world());
        const { resourceServer } = await world().operator.registry.getResourceServer({ audience });
        return registry.updateResourceServer({ resourceServer: resourceServer as NonNullable<typeof resourceServer> });
      },
      updates,
    ],
  ];
});
const policyRows: readonly Row[] = (
  [
    ['of its tenant', () => own, 'ok'],
    ['of another tenant', () => foreign, denied],
  ] as const
).flatMap(([target, world, outcome]): Row[] => [
  [
    'RegistryService.GetPolicy',
    target,
    ({ registry }) => registry.getPolicy({ tenantId: world().tenantId }),
    registryReaders(outcome),
  ],
  [
    'RegistryService.ListPolicyVersions',
    target,
    ({ registry }) => registry.listPolicyVersions({ tenantId: world().tenantId }),
    registryReaders(outcome),
  ],
  [
    'RegistryService.ListUnusedScopes',
    target,
    ({ registry }) => registry.listUnusedScopes({ tenantId: world().tenantId }),
    registryReaders(outcome),
  ],
  [
    'RegistryService.GetTokenUse',
    target,
    async ({ registry }) => registry.getTokenUse({ tokenId: (await world().issue()).tokenId }),
    registryReaders(outcome === 'ok' ? 'ok' : notFound('TOKEN')),
  ],
  [
    'RegistryService.PreviewPolicy',
    target,
    ({ registry }) => registry.previewPolicy({ policy: { tenantId: world().tenantId } }),
    registryReaders(outcome),
  ],
  [
    'IssuerService.ExplainGrant',
    target,
    ({ issuer }) => issuer.explainGrant({ request: world().request() }),
    registryReaders(outcome),
  ],
]);
const erasureRows: readonly Row[] = [
  [
    'RevocationService.EraseUser',
    'of its tenant',
    ({ revocation }) => revocation.eraseUser({ tenantId: own.tenantId, userId: 'nobody' }),
    revokers('ok'),
  ],
  [
    'RevocationService.EraseUser',
    'of another tenant',
    ({ revocation }) => revocation.eraseUser({ tenantId: foreign.tenantId, userId: 'ada' }),
    {},
  ],
  [
    'RevocationService.EraseTenant',
    'of its tenant, which lives',
    ({ revocation }) => revocation.eraseTenant({ tenantId: own.tenantId }),
    revokers('FailedPrecondition NOT_DISABLED'),
  ],
  [
    'RevocationService.EraseTenant',
    'of another tenant',
    ({ revocation }) => revocation.eraseTenant({ tenantId: foreign.tenantId }),
    {},
  ],
  [
    'RevocationService.GetErasure',
    'of its tenant',
    async ({ revocation }) => {
      const request = { tenantId: own.tenantId, userId: 'nobody' };
      const { erasureId } = await own.operator.revocation.eraseUser(request);
      return revocation.getErasure({ erasureId });
    },
    revokers('ok'),
  ],
  [
    'RevocationService.GetErasure',
    'of another tenant',
    async ({ revocation }) => {
      const request = { tenantId: foreign.tenantId, userId: 'nobody' };
      const { erasureId } = await foreign.operator.revocation.eraseUser(request);
      return revocation.getErasure({ erasureId });
    },
    revokers(notFound('ERASURE')),
  ],
];
/** In tenants of their own: of two who change one policy at a time, one is told to read it again. */
const policyChangeRows: readonly Row[] = (
  [
    ['of a tenant that it names', () => callers.spareTenant(), 'ok'],
    ['of another tenant', async () => foreign.tenantId, denied],
  ] as const
).flatMap(([target, tenantOf, outcome]): Row[] => [
  [
    'RegistryService.UpdatePolicy',
    target,
    async ({ registry }) => registry.updatePolicy({ policy: { tenantId: await tenantOf() } }),
    registrars(outcome),
  ],
  [
    'RegistryService.RollbackPolicy',
    target,
    async ({ registry }) => {
      const tenantId = await tenantOf();
      const made = callers.of('operator', 'operator').registry.updatePolicy({ policy: { tenantId } });
      await made.catch(() => undefined);
      return registry.rollbackPolicy({ tenantId, toVersion: 0, version: 1 });
    },
    registrars(outcome),
  ],
]);
const listRows: readonly Row[] = [
  [
    'RegistryService.ListTenants',
    'that it may act in',
    ({ registry }) => registry.listTenants({}),
    registryReaders('ok'),
  ],
  ...(
    [
      ['of its tenant', () => own.tenantId, 'ok'],
      ['of all tenants that it may act in', () => '', 'ok'],
      ['of another tenant', () => foreign.tenantId, denied],
    ] as const
  ).flatMap(([target, tenantId, outcome]): Row[] => [
    [
      'RegistryService.ListApps',
      target,
      ({ registry }) => registry.listApps({ tenantId: tenantId() }),
      registryReaders(outcome),
    ],
    [
      'RegistryService.ListResourceServers',
      target,
      ({ registry }) => registry.listResourceServers({ tenantId: tenantId() }),
      registryReaders(outcome),
    ],
  ]),
];

const recording = (world: World, over: object = {}) => ({
  tenantId: world.tenantId,
  appId: world.appId,
  userId: 'ada',
  grants: [{ audience: world.audience, scopes: ['orders:read'] }],
  ttl,
  idempotencyKey: unique('consent'),
  ...over,
});
const recordTargets: readonly (readonly [target: string, make: () => ReturnType<typeof recording>, Outcomes])[] = [
  ['to an app of its tenant', () => recording(own), consenters('ok')],
  ["to another tenant's app", () => recording(own, { appId: foreign.appId }), consenters(notFound('APP'))],
  [
    "for another tenant's audience",
    () => recording(own, { grants: [{ audience: foreign.audience, scopes: ['orders:read'] }] }),
    consenters(notFound('AUDIENCE')),
  ],
  ['in another tenant', () => recording(foreign), consenters(denied)],
];
const consentRows: readonly Row[] = [
  ...recordTargets.map(
    ([target, make, outcomes]): Row => [
      'ConsentService.RecordConsent',
      target,
      ({ consents }) => consents.recordConsent(make()),
      outcomes,
    ],
  ),
  [
    'ConsentService.GetConsent',
    'of its tenant',
    async ({ consents }) => consents.getConsent({ consentId: await own.consent() }),
    consenters('ok'),
  ],
  [
    'ConsentService.GetConsent',
    'of another tenant',
    async ({ consents }) => consents.getConsent({ consentId: await foreign.consent() }),
    consenters(notFound('CONSENT')),
  ],
  [
    'ConsentService.ListConsents',
    'of its tenant',
    ({ consents }) => consents.listConsents({ tenantId: own.tenantId, userId: 'ada' }),
    consenters('ok'),
  ],
  [
    'ConsentService.ListConsents',
    'of another tenant',
    ({ consents }) => consents.listConsents({ tenantId: foreign.tenantId, userId: 'ada' }),
    consenters(denied),
  ],
];

/** To fewer scopes at its own audience, which takes no edge. */
const exchange = ({ issuer }: Clients, token: string, audience = own.audience) =>
  issuer.exchangeToken({ token, audience, scopes: ['orders:read'] });
const notHonoured = 'FailedPrecondition TOKEN_NOT_HONOURED';
const exchangers = (app: string, server = app): Outcomes => ({
  app,
  'resource server': server,
  'resource server without tokens:validate': denied,
});
const exchangeRows: readonly Row[] = [
  [
    'IssuerService.ExchangeToken',
    'of a token of the app, for its audience',
    async (clients) => exchange(clients, (await own.issue()).token),
    exchangers('ok'),
  ],
  [
    'IssuerService.ExchangeToken',
    'of a token of another app',
    async (clients) => exchange(clients, (await own.issue({ appId: callers.otherApp })).token),
    exchangers(notHonoured, 'ok'),
  ],
  [
    'IssuerService.ExchangeToken',
    "of another tenant's token",
    async (clients) => exchange(clients, (await foreign.issue()).token, foreign.audience),
    exchangers(notHonoured),
  ],
  [
    'IssuerService.ExchangeToken',
    "to another tenant's audience",
    async (clients) => exchange(clients, (await own.issue()).token, foreign.audience),
    exchangers(notFound('AUDIENCE')),
  ],
  // Those of apps that hold one are tested with what comes of it.
  [
    'IssuerService.RefreshToken',
    'of a token that is no refresh token',
    async ({ issuer }) => issuer.refreshToken({ refreshToken: (await own.issue()).token }),
    { app: notHonoured },
  ],
];

const rows: readonly Row[] = [
  ...issueTargets.map(([target, over, outcomes]): Row => ['IssuerService.IssueToken', target, issue(over), outcomes]),
  // Whoever may ask at all is answered for each request by itself.
  ...issueTargets.map(
    ([target, over, outcomes]): Row => ['IssuerService.BatchIssueTokens', target, issueInBatch(over), outcomes],
  ),
  ...validationTargets.map(
    ([target, audience, outcomes]): Row => [
      'ValidatorService.ValidateToken',
      target,
      ({ validator }) => validator.validateToken(validation(audience())),
      outcomes,
    ],
  ),
  ...validationTargets.map(
    ([target, audience, outcomes]): Row => [
      'ValidatorService.BatchValidateTokens',
      target,
      ({ validator }) => outcomeInBatch(validator.batchValidateTokens({ requests: [validation(audience())] })),
      outcomes,
    ],
  ),
  ...exchangeRows,
  ...registryRows,
  ...keyRows,
  ...entryRows,
  ...policyRows,
  ...policyChangeRows,
  ...erasureRows,
  ...listRows,
  ...consentRows,
  ...credentialRows,
  explainingRow,
  ...revokeTokenRows,
  ...tellers.flatMap(([rpc, tell]): Row[] => {
    const nobody = readers(notFound('REVOCATION'));
    const foreignOne = async (clients: Clients) => {
      const target = { case: 'app', value: { appId: foreign.appId } } as const;
      return tell(clients, (await revoke(foreign.operator, target)).revocationId);
    };
    return [
      [rpc, "of another tenant's", foreignOne, nobody],
      [rpc, 'that does not exist', (clients) => tell(clients, `rvk_${'0'.repeat(21)}`), nobody],
    ];
  }),
  ...bulkRows,
];

/** Whose credential it would take: one that has expired or has been revoked is one of these. */
const allowedBy: Readonly<Record<string, Known>> = {
  IssuerService: 'identity service',
  ConsentService: 'identity service',
  RegistryService: 'operator',
  ValidatorService: 'resource server',
  RevocationService: 'operator',
};

type Cell = readonly [
  rpc: string,
  target: string,
  kind: Known | Unknown,
  outcome: string,
  call: Row[2],
  instead: Known,
];
const cells: readonly Cell[] = rows.flatMap(([rpc, target, call, outcomes]) => {
  const instead = (Object.keys(outcomes) as Known[]).find(
    (kind) => outcomes[kind] === 'ok' && !kind.includes(' alone'),
  );
  const usual = instead ?? allowedBy[rpc.split('.')[0] as string] ?? 'operator';
  return [
    ...unknownKinds.map((kind): Cell => [rpc, target, kind, 'Unauthenticated CALLER_UNKNOWN', call, usual]),
    ...knownKinds.map((kind): Cell => [rpc, target, kind, outcomes[kind] ?? denied, call, usual]),
  ];
});

describe('who may what', () => {
  const services = Object.values(contracts).filter(
    (one): one is typeof one & DescService =>
      typeof one === 'object' && 'kind' in one && (one.kind as string) === 'service',
  );
  const rpcs = services.flatMap((service) => service.methods.map(({ name }) => `${service.name}.${name}`));

  test.each(rpcs)('%s has its rows in the table', (rpc) => {
    expect(rows.some(([inTable]) => inTable === rpc)).toBe(true);
  });

  // It would take the callers of the other cells, too, if it were not refused: who may is tested below.
  test.each([...unknownKinds, ...knownKinds.filter((kind) => kind !== 'platform operator')])(
    'RevocationService.RevokeTokens of all, credentials included: %s: refused',
    async (kind) => {
      const refused = unknownKinds.some((one) => one === kind) ? 'Unauthenticated CALLER_UNKNOWN' : denied;
      const clients = callers.of(kind, 'platform operator');
      expect(await outcomeOf(revoke(clients, { case: 'all', value: {} }, true))).toBe(refused);
    },
  );

  test.concurrent.each(cells)('%s %s: %s: %s', async (_rpc, _target, kind, outcome, call, instead) => {
    expect(await outcomeOf(call(callers.of(kind, instead)))).toBe(outcome);
  });
});

describe('a credential', () => {
  const principalOf = (kind: CallerKind, over: object): CredentialRequest => ({ ...credentialFor[kind](own), ...over });
  const made = (clients: Clients, request: CredentialRequest) => clients.registry.issueCredential(request);

  test.each(
    kinds.flatMap((kind) =>
      [...new Set([...Object.values(scopesOfKind).flat(), 'made:up'])]
        .filter((scope) => !scopesOfKind[kind].includes(scope))
        .map((scope) => [kind, scope] as const),
    ),
  )('of kind %s is not made with the scope %o', async (kind, scope) => {
    expect(await failureOf(made(own.operator, principalOf(kind, { scopes: [scope] })))).toMatchObject({
      reason: 'CREDENTIAL_NOT_ALLOWED',
      metadata: { field: 'scopes' },
    });
  });

  test('with tokens:revoke_all comes from the bootstrap command only', async () => {
    const platform = await bootstrapped(stack, [own.tenantId], ['tokens:revoke_all']);
    const refused = made(platform, principalOf('operator', { scopes: ['tokens:revoke_all'] }));
    expect(await failureOf(refused)).toMatchObject({ reason: 'CREDENTIAL_NOT_ALLOWED', metadata: { field: 'scopes' } });
  });

  test('is made by nobody for itself', async () => {
    const name = unique('operator');
    const { credential } = await bootstrapCredential(stack, [own.tenantId], ['credentials:issue', 'registry:read'], {
      name,
    });
    const self = principalOf('operator', {
      principal: { case: 'operator', value: { name, tenantIds: [own.tenantId] } },
    });
    expect(await failureOf(made(clientsOf(stack, credential), self))).toMatchObject({
      reason: 'CREDENTIAL_NOT_ALLOWED',
      metadata: { field: 'operator.name' },
    });
  });

  test.each(['operator', 'auditor'] as const)('of an %s has no tenant that its maker lacks', async (kind) => {
    const tenantIds = [own.tenantId, foreign.tenantId];
    const value = { name: 'new', tenantIds };
    const request = principalOf(kind, { principal: { case: kind, value } });
    expect(await outcomeOf(made(own.operator, request))).toBe(denied);
  });

  test.each([
    ['operator', 'CREDENTIAL_NOT_ALLOWED'],
    ['auditor', 'CREDENTIAL_NOT_ALLOWED'],
    ['identity_service', null],
    ['app', null],
    ['resource_server', null],
  ] as const)("of kind %s made to outlive its maker's: %s", async (kind, reason) => {
    const { credential } = await bootstrapCredential(stack, [own.tenantId], ['credentials:issue', 'registry:read'], {
      ttl: 600,
    });
    const outcome = await outcomeOf(made(clientsOf(stack, credential), principalOf(kind, { ttl: { seconds: 601n } })));
    expect(outcome).toBe(reason === null ? 'ok' : `PermissionDenied ${reason}`);
  });

  test.each([
    ['of an app that is disabled', 'Disabled'],
    ['of a resource server that is disabled', 'Disabled'],
    ['of an identity service of a tenant that is disabled', 'Disabled'],
    ['of an identity service of a tenant that does not exist', 'Unknown'],
  ])('%s is not made', async (what, why) => {
    const spare = why === 'Unknown' ? callers.spareTenantId() : await callers.spareTenant();
    const operator = callers.of('operator', 'operator');
    const [appId, audience] = [await own.addApp(), await addAudience(own)];
    if (what.includes('app')) await operator.registry.disableApp({ appId });
    if (what.includes('server')) await operator.registry.disableResourceServer({ audience });
    if (what.includes('tenant that is')) await operator.registry.disableTenant({ tenantId: spare });
    const kind = what.includes('app') ? 'app' : what.includes('server') ? 'resource_server' : 'identity_service';
    const outcome = await outcomeOf(made(operator, credentialFor[kind]({ ...own, appId, audience, tenantId: spare })));
    expect(outcome).toBe(why === 'Unknown' ? notFound('TENANT') : 'FailedPrecondition DISABLED');
  });
});

test.each(['app', 'resource_server'] as const)(
  'of %s of a tenant that is disabled no credential is made',
  async (kind) => {
    const [here, there] = [await openWorld(stack), await openWorld(stack)];
    const operator = await bootstrapped(stack, [here.tenantId, there.tenantId]);
    await operator.registry.disableTenant({ tenantId: there.tenantId });
    expect(await outcomeOf(operator.registry.issueCredential(credentialFor[kind](there)))).toBe(
      'FailedPrecondition DISABLED',
    );
  },
);

test.each([1, 2])(
  'an operator that acts in %i of the tenants can cut off its own credential, by the id',
  async (count) => {
    const tenantIds = [own.tenantId, foreign.tenantId].slice(0, count);
    const { credential, tokenId } = await bootstrapCredential(stack, tenantIds, ['tokens:revoke']);
    const acting = clientsOf(stack, credential);
    await acting.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
    await untilRefused(acting);
  },
);

test('who may revoke everything is ended by no tenant that it acts in', async () => {
  const { tenantId, operator } = await openWorld(stack);
  const scopes = ['tokens:revoke', 'tokens:revoke_all'];
  const platform = await bootstrapCredential(stack, [tenantId], scopes);
  const another = await bootstrapCredential(stack, [tenantId], ['tokens:revoke']);
  const byId = { tokenOrId: { case: 'tokenId', value: platform.tokenId } } as const;
  expect(await outcomeOf(operator.revocation.revokeToken(byId))).toBe(notFound('TOKEN'));
  await revoke(operator, { case: 'tenant', value: { tenantId } }, true);
  await operator.registry.disableTenant({ tenantId });
  const erase = ({ credential }: { credential: string }) =>
    outcomeOf(clientsOf(stack, credential).revocation.eraseUser({ tenantId, userId: 'nobody' }));
  expect([await erase(platform), await erase(another)]).toEqual(['ok', 'Unauthenticated CALLER_UNKNOWN']);
  await clientsOf(stack, platform.credential).revocation.revokeToken(byId);
  expect(await erase(platform)).toBe('Unauthenticated CALLER_UNKNOWN');
});

test('with a credential that has been revoked nothing is done any more that would outlast it', async () => {
  const { tenantId, appId } = own;
  const consenting = { ...credentialFor.identity_service(own), scopes: ['consents:write'] };
  const outcomes: string[] = [];
  for (let i = 0; i < 20; i++) {
    const scopes = ['credentials:issue', 'registry:read', 'registry:write', 'tokens:revoke'];
    const operator = await bootstrapCredential(stack, [tenantId], scopes);
    const identity = await own.operator.registry.issueCredential(consenting);
    const { registry, revocation } = clientsOf(stack, operator.credential);
    const { consents } = clientsOf(stack, identity.credential);
    const { app } = await registry.getApp({ appId });
    if (!app) throw new Error('there is no app');
    const attempt = () =>
      Promise.all(
        [
          registry.issueCredential(credentialFor.auditor(own)),
          registry.updateApp({ app }),
          revocation.eraseUser({ tenantId, userId: 'nobody' }),
          consents.recordConsent(recording(own)),
        ].map(outcomeOf),
      );
    expect(await attempt()).toEqual(Array(4).fill('ok'));
    for (const { tokenId } of [operator, identity]) {
      await own.operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
    }
    outcomes.push(...(await attempt()));
  }
  expect(new Set(outcomes)).toEqual(new Set(['Unauthenticated CALLER_UNKNOWN']));
});
