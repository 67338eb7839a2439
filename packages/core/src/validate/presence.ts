import { ageOf, type Clock, type Instant, instantOf } from '../clock.ts';
import { Fenced } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Census } from './ports.ts';

/**
 * Keeps this replica's row in the census, and with it the proof that the database asked is the one in force: a primary
 * that has been cut off from its standby still answers reads, but can't commit.
 */
export class Presence {
  readonly #census: Census;
  readonly #follower: Follower;
  readonly #clock: Clock;
  readonly #fenceMilliseconds: number;
  #lastCommitSentAt: Instant | null = null;

  constructor(census: Census, follower: Follower, clock: Clock, fenceMilliseconds: number) {
    this.#census = census;
    this.#follower = follower;
    this.#clock = clock;
    this.#fenceMilliseconds = fenceMilliseconds;
  }

  /** Commits the row; to be called every second. @throws StoreUnavailable */
  async beat(): Promise<void> {
    const sentAt = instantOf(this.#clock);
    await this.#follower.askUntilCovered(async () => ({ tail: await this.#census.beat(this.#follower.applied) }));
    this.#lastCommitSentAt = sentAt;
  }

  /** @throws Fenced when the last commit was sent longer ago than the fence. */
  requireCurrent(): void {
    const sentAt = this.#lastCommitSentAt;
    if (!sentAt || ageOf(sentAt, this.#clock) > this.#fenceMilliseconds) throw new Fenced();
  }
}
