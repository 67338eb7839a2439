import type { Act } from '../access/act.ts';
import type { Shares } from '../access/shares.ts';
import { Overloaded } from '../errors.ts';
import { type FollowedRevocation, type GetRevocationPorts, getRevocation } from './get-revocation.ts';

/** The most that one principal watches at once: each looks into the database several times a second. */
export const watchesMax = 100;

export interface WatchRevocationPorts extends GetRevocationPorts {
  readonly watches: Shares;
}

/**
 * Tells of a revocation at once, and again whenever there is news of it, until it is complete.
 *
 * @param pause resolves when it is time to look again, to the act as it may be done by then.
 * @throws CallerNotAllowed, RevocationUnknown, StoreUnavailable, Overloaded, and what `pause` throws.
 */
export async function* watchRevocation(
  act: Act,
  revocationId: string,
  ports: WatchRevocationPorts,
  pause: () => Promise<Act>,
): AsyncGenerator<FollowedRevocation> {
  if (!ports.watches.take(act.caller)) throw new Overloaded();
  try {
    yield* lookAgain(act, revocationId, ports, pause);
  } finally {
    ports.watches.giveBack(act.caller);
  }
}

async function* lookAgain(
  act: Act,
  revocationId: string,
  ports: GetRevocationPorts,
  pause: () => Promise<Act>,
): AsyncGenerator<FollowedRevocation> {
  let told = '';
  for (let allowed = act; ; allowed = await pause()) {
    // Nobody takes what would be told: the caller has gone while there was no news.
    if (allowed.signal?.aborted) return;
    const followed = await getRevocation(allowed, revocationId, ports);
    const news = newsOf(followed);
    if (news !== told) yield followed;
    told = news;
    if (followed.progress.completeAt !== null) return;
  }
}

/** What would be worth telling: not that a validator is still there. */
const newsOf = ({ revocation, progress }: FollowedRevocation): string =>
  JSON.stringify([
    progress.isPublished,
    progress.completeAt,
    progress.validators.map(({ instanceId, isLive, appliedRevision }) => [
      instanceId,
      isLive,
      appliedRevision >= revocation.head.revision,
    ]),
  ]);
