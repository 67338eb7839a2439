import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { RevocationService } from '@touchstone/contracts';
import { getErasure } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const getErasureHandler =
  ({ erasing }: RevocationContext): UnaryHandler<typeof RevocationService.method.getErasure> =>
  async (request, { act }) => {
    const { tenantId, requestedAt, erasedAt } = await getErasure(act, request.erasureId, erasing);
    return {
      tenantId,
      requestedAt: timestampFromMs(requestedAt),
      ...(erasedAt === null ? {} : { erasedAt: timestampFromMs(erasedAt) }),
    };
  };
