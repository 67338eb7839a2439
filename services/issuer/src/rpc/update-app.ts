import type { RegistryService } from '@touchstone/contracts';
import { formatRevision, updateEntry } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromApp, toApp } from './app.ts';

export const updateAppHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.updateApp> =>
  async (request, { act }) => {
    const app = required(request.app);
    const entry = toApp(app);
    const { etag, head } = await updateEntry(act, { what: 'app', entry }, app.etag, registering);
    return { app: fromApp({ entry, etag, disabled: false }), revision: head ? formatRevision(head) : '' };
  };
