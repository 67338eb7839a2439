import { ClientType, HostingType, RegistryService } from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { bootstrapOperator } from '@touchstone/replica';
import type { Bench } from '../measure.ts';
import type { Holder } from '../seed.ts';
import { releasedClaims } from '../users.ts';

/** An app that has tokens, and who issues, who validates and who revokes them. */
export interface Member extends Holder {
  readonly identityToken: string;
  readonly resourceServerToken: string;
  readonly operatorToken: string;
}

const scopes = ['orders:read'];
const ttl = { seconds: 86_400n };
/** The registry takes one entry at a time. */
const registeredAtATime = 32;

/** Further apps of the demo tenant. */
export async function registerApps({ demo, services }: Stack, count: number): Promise<Member[]> {
  const registry = clientOf(RegistryService, services.issuer.grpc, demo.operatorToken);
  return eachOf(count, async (number) => {
    const app = { ...demo, appId: `demo-app-${number}` };
    await registry.createApp({ app: appOf(app) });
    return app;
  });
}

/** Tenants with an app and a resource server each. */
export async function registerTenants({ onProgress }: Bench, stack: Stack, count: number): Promise<Member[]> {
  onProgress(`Registering ${count.toLocaleString('en')} tenants ...`);
  const { credential } = await bootstrapOperator(
    {
      name: 'bench-operator',
      tenantIds: Array.from({ length: count }, (_, number) => tenantIdOf(number)),
      scopes: ['registry:write', 'credentials:issue', 'tokens:revoke'],
      ttl: 7 * 86_400,
      replace: false,
    },
    { databaseUrl: stack.postgres.adminUrl, keys: { MASTER_KEY_FILE: stack.masterKeyFile } },
  );
  const registry = clientOf(RegistryService, stack.services.issuer.grpc, credential);
  return eachOf(count, async (number) => {
    const tenantId = tenantIdOf(number);
    const holder: Holder = { tenantId, appId: `app-${number}`, audience: `https://${tenantId}.example.com`, scopes };
    const { audience } = holder;
    await registry.createTenant({ tenant: { tenantId, firstPartyWithoutConsent: true } });
    const released = { scopes: scopes.map((name) => ({ name })), releasedClaims: [...releasedClaims] };
    await registry.createResourceServer({ resourceServer: { audience, tenantId, ...released } });
    await registry.createApp({ app: appOf(holder) });
    const [identity, resourceServer, operator] = await Promise.all([
      registry.issueCredential({
        principal: { case: 'identityService', value: { tenantId, name: 'identity' } },
        scopes: ['tokens:issue'],
        ttl,
      }),
      registry.issueCredential({
        principal: { case: 'resourceServer', value: { audience } },
        scopes: ['tokens:validate'],
        ttl,
      }),
      registry.issueCredential({
        principal: { case: 'operator', value: { name: 'operator', tenantIds: [tenantId] } },
        scopes: ['tokens:revoke'],
        ttl,
      }),
    ]);
    return {
      ...holder,
      identityToken: identity.credential,
      resourceServerToken: resourceServer.credential,
      operatorToken: operator.credential,
    };
  });
}

const tenantIdOf = (number: number): string => `tenant-${number}`;

const appOf = ({ appId, tenantId, audience, scopes }: Holder) => ({
  appId,
  tenantId,
  clientType: ClientType.WEB,
  hostingType: HostingType.FIRST_PARTY,
  grants: [{ audience, scopes: [...scopes] }],
});

/** Makes so many, a few at a time; in order. */
async function eachOf<Made>(count: number, make: (number: number) => Promise<Made>): Promise<Made[]> {
  const made = new Array<Made>(count);
  let next = 0;
  const work = async () => {
    while (next < count) {
      const number = next++;
      made[number] = await make(number);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, registeredAtATime) }, work));
  return made;
}
