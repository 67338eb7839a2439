import type { RegistryService } from '@touchstone/contracts';
import { getResourceServer } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromResourceServer } from './resource-server.ts';

export const getResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.getResourceServer> =>
  async ({ audience }, { act }) => ({
    resourceServer: fromResourceServer(await getResourceServer(act, audience, registering.registry)),
  });
