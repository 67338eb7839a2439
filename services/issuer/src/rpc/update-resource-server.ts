import type { RegistryService } from '@touchstone/contracts';
import { formatRevision, updateEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromResourceServer, toResourceServer } from './resource-server.ts';

export const updateResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.updateResourceServer> =>
  async (request, { act }) => {
    const resourceServer = required(request.resourceServer);
    const entry = toResourceServer(resourceServer);
    const { etag, head } = await updateEntry(act, { what: 'resource_server', entry }, resourceServer.etag, registering);
    return {
      resourceServer: fromResourceServer({ entry, etag, disabled: false }),
      revision: head ? formatRevision(head) : '',
    };
  };
