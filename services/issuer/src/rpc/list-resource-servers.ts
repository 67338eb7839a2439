import type { RegistryService } from '@touchstone/contracts';
import { listEntries } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toPage } from './page.ts';
import { fromResourceServer } from './resource-server.ts';

export const listResourceServersHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.listResourceServers> =>
  async (request, { act }) => {
    const command = { what: 'resource_server', tenantId: request.tenantId || null, ...toPage(request) } as const;
    const { entries, next } = await listEntries(act, command, registering.registry);
    return { resourceServers: entries.map(fromResourceServer), nextPageToken: next ?? '' };
  };
