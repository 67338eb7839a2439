import type { RegistryService } from '@touchstone/contracts';
import { createEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromResourceServer, toResourceServer } from './resource-server.ts';

export const createResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createResourceServer> =>
  async (request, { act }) => {
    const entry = toResourceServer(required(request.resourceServer));
    const etag = await createEntry(act, { what: 'resource_server', entry }, registering);
    return { resourceServer: fromResourceServer({ entry, etag, disabled: false }) };
  };
