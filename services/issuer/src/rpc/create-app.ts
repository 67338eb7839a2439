import type { RegistryService } from '@touchstone/contracts';
import { createEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromApp, toApp } from './app.ts';

export const createAppHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createApp> =>
  async (request, { act }) => {
    const entry = toApp(required(request.app));
    const etag = await createEntry(act, { what: 'app', entry }, registering);
    return { app: fromApp({ entry, etag, disabled: false }) };
  };
