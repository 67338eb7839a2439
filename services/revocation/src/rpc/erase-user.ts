import type { RevocationService } from '@touchstone/contracts';
import { eraseUser, formatRevision } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const eraseUserHandler =
  ({ erasing }: RevocationContext): UnaryHandler<typeof RevocationService.method.eraseUser> =>
  async ({ tenantId, userId, reason }, { act }) => {
    const { erasureId, head } = await eraseUser(act, { tenantId, userId, reason }, erasing);
    return { erasureId, revision: formatRevision(head) };
  };
