import type { RegistryService } from '@touchstone/contracts';
import { getEntry } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromApp } from './app.ts';

export const getAppHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.getApp> =>
  async ({ appId }, { act }) => ({
    app: fromApp(await getEntry(act, 'app', appId, registering.registry)),
  });
