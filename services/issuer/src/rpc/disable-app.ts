import type { RegistryService } from '@touchstone/contracts';
import { disable, formatRevision } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';

export const disableAppHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.disableApp> =>
  async ({ appId, reason }, { act }) => {
    const { head } = await disable(act, { what: 'app', id: appId, reason }, registering);
    return { revision: formatRevision(head) };
  };
