import type { RevocationService } from '@touchstone/contracts';
import { getRevocation } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';
import { fromFollowedRevocation } from './followed-revocation.ts';

export const getRevocationHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.getRevocation> =>
  async ({ revocationId }, { act }) => ({
    revocation: fromFollowedRevocation(await getRevocation(act, revocationId, context.following)),
  });
