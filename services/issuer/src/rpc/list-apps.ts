import type { RegistryService } from '@touchstone/contracts';
import { listEntries } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromApp } from './app.ts';
import { toPage } from './page.ts';

export const listAppsHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.listApps> =>
  async (request, { act }) => {
    const command = { what: 'app', tenantId: request.tenantId || null, ...toPage(request) } as const;
    const { entries, next } = await listEntries(act, command, registering.registry);
    return { apps: entries.map(fromApp), nextPageToken: next ?? '' };
  };
