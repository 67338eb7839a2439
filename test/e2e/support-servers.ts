import type { SharedStack } from '../harness/shared-stack.ts';
import { type Clients, clientsOf, unique, type World } from '../harness/world.ts';

/** A resource server, and the clients that it calls with. */
export interface Server {
  readonly audience: string;
  readonly clients: Clients;
}

/** Registers one; unless said otherwise it has the scope `orders:read`. */
export async function addServer(
  stack: SharedStack,
  { operator, tenantId }: World,
  over: object = {},
  ttl = { seconds: 3_600n },
): Promise<Server> {
  const audience = `https://${unique('api')}.example.com`;
  const scopes = [{ name: 'orders:read' }];
  await operator.registry.createResourceServer({ resourceServer: { audience, tenantId, scopes, ...over } });
  const principal = { case: 'resourceServer', value: { audience } } as const;
  const { credential } = await operator.registry.issueCredential({ principal, scopes: ['tokens:validate'], ttl });
  return { audience, clients: clientsOf(stack, credential) };
}
