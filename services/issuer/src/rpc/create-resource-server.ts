import type { RegistryService } from '@touchstone/contracts';
import { createResourceServer } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { required } from './required.ts';
import { toResourceServer } from './resource-server.ts';

export const createResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createResourceServer> =>
  async (request, { act }) => {
    const resourceServer = required(request.resourceServer);
    await createResourceServer(act, toResourceServer(resourceServer), registering.registry);
    return { resourceServer };
  };
