import { RevisionUnknown } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { RevisionName } from '../revisions/revision-text.ts';

/** How fresh an answer must be. */
export type Consistency =
  /** Every revocation that returned before the call counts. */
  | { readonly kind: 'fully_consistent' }
  /** Every revocation that returned that long before the call counts. */
  | { readonly kind: 'max_staleness'; readonly milliseconds: number }
  /** Every revocation up to the revision counts. */
  | { readonly kind: 'at_least_revision'; readonly revision: RevisionName };

/** An answer that may come from the cache. */
export type Bounded = Exclude<Consistency, { readonly kind: 'fully_consistent' }>;

/** Infinitely old is what is known while another history is being loaded: it is of the former one. */
const isTooOld = (age: number, stalenessMax: number): boolean => age > stalenessMax || !Number.isFinite(age);

/** Whether what the follower knows, being that many milliseconds old, is fresh enough, as far as can be told without the database. */
export function isFreshEnough(consistency: Bounded, stalenessMax: number, follower: Follower, age: number): boolean {
  if (isTooOld(age, stalenessMax)) return false;
  switch (consistency.kind) {
    case 'max_staleness':
      return age <= consistency.milliseconds;
    case 'at_least_revision':
      return follower.hasReached(consistency.revision) === true;
  }
}

/**
 * Asks the database, so that what the follower knows is fresh enough.
 * @throws RevisionUnknown, StoreUnavailable
 */
export async function becomeFreshEnough(consistency: Bounded, stalenessMax: number, follower: Follower): Promise<void> {
  // The question is sent after the call has come: whatever it takes, the answer is no older than the call.
  if (consistency.kind === 'max_staleness') return follower.refresh();
  // First: it may bring another history, which need not have come to the revision.
  if (isTooOld(follower.age, stalenessMax)) await follower.refresh();
  if (!(await follower.reaches(consistency.revision))) throw new RevisionUnknown();
}
