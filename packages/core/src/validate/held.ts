import { StoreUnavailable } from '../errors.ts';
import type { Cap } from '../policy/cap.ts';
import type { Follower } from '../revisions/follower.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { ReleaseReader } from './ports.ts';

export interface HeldPorts {
  readonly releases: ReleaseReader;
  readonly follower: Follower;
}

/** How often it is read anew because it has changed. */
const attemptsMax = 5;

/**
 * What its tenant's policy holds against a token that is there, by all that the follower has applied; null: nothing.
 * @throws StoreUnavailable
 */
export async function heldAgainst(record: TokenRecord, { releases, follower }: HeldPorts): Promise<Cap | null> {
  const { tenantId, audience } = record;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const { generation } = follower;
    const release = await releases.releaseOf(tenantId, audience, follower.releasedAt(tenantId, audience), generation);
    const [cap = null] = (await release.holds?.capsOf([record])) ?? [];
    if (generation === follower.generation && release.revision >= follower.releasedAt(tenantId, audience)) return cap;
  }
  throw new StoreUnavailable(new Error('what the policy holds against tokens does not stand still'));
}
