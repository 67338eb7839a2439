import type { DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { clientOf as clientAt } from '@touchstone/client';
import { ClientType, HostingType, RegistryService, TokenMethod } from '@touchstone/contracts';
import { scopesOfKind } from '@touchstone/core';

/** The tenant that demonstrations and tests work in, and a credential for each kind of caller. */
export interface DemoTenant {
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  /** Of an operator, who is a platform operator too. */
  readonly operatorToken: string;
  readonly identityToken: string;
  readonly appToken: string;
  readonly resourceServerToken: string;
}

const tenantId = 'demo';
const appId = 'demo-app';
const audience = 'https://orders.example.com';
const scopes = ['orders:read'];
const ttl = { seconds: 7n * 86_400n };

/** What the demo's operator is bootstrapped with: all that an operator can have. */
export const demoOperator = {
  name: 'local-operator',
  tenantIds: [tenantId],
  scopes: scopesOfKind.operator,
  ttl: 30 * 86_400,
  // The operator's credential is made afresh at each start; the one of the start before ends with that.
  replace: true,
} as const;

/** A client of one service for a caller with this credential. */
export const clientOf = <Service extends DescService>(
  service: Service,
  grpc: string,
  credential: string,
): Client<Service> => clientAt(service, `http://${grpc}`, credential);

/** Registers the tenant, where that has not been done, and makes a credential for each kind of caller. */
export async function registerDemoTenant(issuerGrpc: string, operatorToken: string): Promise<DemoTenant> {
  const registry = clientOf(RegistryService, issuerGrpc, operatorToken);
  await unlessThere(
    registry.createTenant({ tenant: { tenantId, displayName: 'Demo', firstPartyWithoutConsent: true } }),
  );
  await unlessThere(
    registry.createResourceServer({
      resourceServer: {
        audience,
        tenantId,
        displayName: 'Orders',
        scopes: scopes.map((name) => ({ name })),
        releasedClaims: ['name', 'email', 'locale'],
      },
    }),
  );
  await unlessThere(
    registry.createApp({
      app: {
        appId,
        tenantId,
        displayName: 'Demo app',
        clientType: ClientType.WEB,
        hostingType: HostingType.FIRST_PARTY,
        grants: [{ audience, scopes }],
        methods: [TokenMethod.REFERENCE, TokenMethod.ATTENUABLE],
      },
    }),
  );
  const [identity, app, resourceServer] = await Promise.all([
    registry.issueCredential({
      principal: { case: 'identityService', value: { tenantId, name: 'demo-identity' } },
      scopes: ['tokens:issue', 'consents:write'],
      ttl,
    }),
    registry.issueCredential({ principal: { case: 'app', value: { appId } }, scopes: ['tokens:issue:self'], ttl }),
    registry.issueCredential({
      principal: { case: 'resourceServer', value: { audience } },
      scopes: ['tokens:validate'],
      ttl,
    }),
  ]);
  return {
    tenantId,
    appId,
    audience,
    scopes,
    operatorToken,
    identityToken: identity.credential,
    appToken: app.credential,
    resourceServerToken: resourceServer.credential,
  };
}

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
  }
}
