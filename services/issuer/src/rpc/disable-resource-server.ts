import type { RegistryService } from '@touchstone/contracts';
import { disable, formatRevision } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';

export const disableResourceServerHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.disableResourceServer> =>
  async ({ audience, reason }, { act }) => {
    const { head } = await disable(act, { what: 'resource_server', id: audience, reason }, registering);
    return { revision: formatRevision(head) };
  };
