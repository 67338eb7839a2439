import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationService } from '@touchstone/contracts';
import { watchRevocation } from '@touchstone/core';
import type { StreamHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';
import { fromFollowedRevocation } from './followed-revocation.ts';

/** Milliseconds between two looks. */
const pauseMilliseconds = 250;

export const watchRevocationHandler = (
  context: RevocationContext,
): StreamHandler<typeof RevocationService.method.watchRevocation> =>
  async function* ({ revocationId }, { act, requireStillAllowed }) {
    const pause = () => sleep(pauseMilliseconds).then(requireStillAllowed);
    for await (const followed of watchRevocation(act, revocationId, context.following, pause)) {
      yield { revocation: fromFollowedRevocation(followed) };
    }
  };
