import { type Awaitable, andThen } from '../awaitable.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Cap } from '../policy/cap.ts';
import type { Follower } from '../revisions/follower.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { Release, ReleaseReader } from './ports.ts';

export interface ReleasePorts {
  readonly releases: ReleaseReader;
  readonly follower: Follower;
}

/** How often something is answered anew because what the resource server is shown has changed. */
const attemptsMax = 5;

/**
 * An answer by what a resource server is shown, as of all that the follower has applied when the answer is there. At once
 * where nobody need be asked.
 * @param tenantId the resource server's.
 * @param answer is called again where that has changed meanwhile.
 * @throws StoreUnavailable, and what `answer` throws, in either way
 */
export function underRelease<Answer>(
  tenantId: string,
  audience: string,
  { releases, follower }: ReleasePorts,
  answer: (release: Release) => Awaitable<Answer>,
): Awaitable<Answer> {
  function attempt(left: number): Awaitable<Answer> {
    if (left === 0) throw new StoreUnavailable(new Error('what the resource server is shown does not stand still'));
    const { generation } = follower;
    const known = releases.releaseOf(tenantId, audience, follower.releasedAt(tenantId, audience), generation);
    return andThen(known, (release) =>
      andThen(answer(release), (answered) => {
        // What the database told meanwhile may show less; and of another history the release says nothing.
        const stands =
          generation === follower.generation && release.revision >= follower.releasedAt(tenantId, audience);
        return stands ? answered : attempt(left - 1);
      }),
    );
  }
  return attempt(attemptsMax);
}

/**
 * What its tenant's policy holds against a token that is there; null: nothing.
 * @throws StoreUnavailable
 */
export async function heldAgainst(record: TokenRecord, ports: ReleasePorts): Promise<Cap | null> {
  const caps = await underRelease(record.tenantId, record.audience, ports, ({ holds }) => holds?.capsOf([record]));
  return caps?.[0] ?? null;
}
