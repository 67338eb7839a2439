import type { RegistryService } from '@touchstone/contracts';
import { getEntry } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromResourceServer } from './resource-server.ts';

export const getResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.getResourceServer> =>
  async ({ audience }, { act }) => ({
    resourceServer: fromResourceServer(await getEntry(act, 'resource_server', audience, registering.registry)),
  });
