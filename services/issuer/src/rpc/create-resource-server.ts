import type { RegistryService } from '@touchstone/contracts';
import { createResourceServer } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { required } from './required.ts';

export const createResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createResourceServer> =>
  async (request, { act }) => {
    const resourceServer = required(request.resourceServer);
    const { audience, tenantId, displayName, scopes, releasedClaims, exchanges } = resourceServer;
    await createResourceServer(
      act,
      {
        audience,
        tenantId,
        displayName,
        scopes: scopes.map(({ name, description }) => ({ name, description })),
        releasedClaims,
        exchanges: exchanges.map((edge) => ({
          audience: edge.audience,
          scopes: edge.scopes.map(({ from, to }) => ({ from, to })),
        })),
        tokenTtlMax: toSeconds('resource_server.token_ttl_max', resourceServer.tokenTtlMax),
      },
      registering.registry,
    );
    return { resourceServer };
  };
