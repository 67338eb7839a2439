import type { Act } from '../access/act.ts';
import { type FollowedRevocation, type GetRevocationPorts, getRevocation } from './get-revocation.ts';

/**
 * Tells of a revocation at once, and again whenever there is news of it, until it is complete.
 *
 * @param pause resolves when it is time to look again.
 * @throws CallerNotAllowed, RevocationUnknown, StoreUnavailable
 */
export async function* watchRevocation(
  act: Act,
  revocationId: string,
  ports: GetRevocationPorts,
  pause: () => Promise<void>,
): AsyncGenerator<FollowedRevocation> {
  let told = '';
  for (;;) {
    const followed = await getRevocation(act, revocationId, ports);
    const news = newsOf(followed);
    if (news !== told) yield followed;
    told = news;
    if (followed.progress.completeAt !== null) return;
    await pause();
    // Nobody takes what would be told: the caller has gone while there was no news.
    if (act.signal?.aborted) return;
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
