import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { RegistryService } from '@touchstone/contracts';
import { getTokenUse } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';

export const getTokenUseHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.getTokenUse> =>
  async ({ tokenId }, { act }) => {
    const { issuedAt, expiresAt, lastUsedAt } = await getTokenUse(act, tokenId, deciding);
    return {
      issuedAt: timestampFromMs(issuedAt),
      expiresAt: timestampFromMs(expiresAt),
      ...(lastUsedAt === null ? {} : { lastUsedAt: timestampFromMs(lastUsedAt) }),
    };
  };
