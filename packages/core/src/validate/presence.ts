import { ageOf, type Clock, type Instant, instantOf } from '../clock.ts';
import { Fenced, StoreUnavailable } from '../errors.ts';
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
  /** When the last commit was sent: from then on, for as long as the fence, the census counts this replica. */
  #committedAt: Instant | null = null;
  /** When the last commit was sent that was made while the census counted this replica. */
  #provenAt: Instant | null = null;
  /** Those who want a beat at the same time share one. */
  #beating: Promise<void> | null = null;

  constructor(census: Census, follower: Follower, clock: Clock, fenceMilliseconds: number) {
    this.#census = census;
    this.#follower = follower;
    this.#clock = clock;
    this.#fenceMilliseconds = fenceMilliseconds;
  }

  /**
   * Commits the row; to be called every second. Where this replica was not counted any more by then, twice: meanwhile a
   * revocation may have been found to be known to all that are, and only a question sent by one that is counted surely
   * brings that along.
   * @throws StoreUnavailable
   */
  beat(): Promise<void> {
    this.#beating ??= this.#commitUntilCounted().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  async #commitUntilCounted(): Promise<void> {
    if ((await this.#commit()) || (await this.#commit())) return;
    throw new StoreUnavailable(new Error('commits take too long for the fence'));
  }

  /** Stops answering, and has others know. @throws StoreUnavailable */
  async leave(): Promise<void> {
    this.#provenAt = null;
    await this.#census.leave();
  }

  /** False where the row had lapsed before it was committed. */
  async #commit(): Promise<boolean> {
    const sentAt = instantOf(this.#clock);
    const beat = async () => ({ tail: await this.#census.beat(this.#follower.applied) });
    await this.#follower.commitUntilCovered(beat, () => this.beat());
    const wasCounted = this.#isYoung(this.#committedAt);
    this.#committedAt = sentAt;
    if (wasCounted) this.#provenAt = sentAt;
    return wasCounted;
  }

  #isYoung(instant: Instant | null): boolean {
    return instant !== null && ageOf(instant, this.#clock) <= this.#fenceMilliseconds;
  }

  /** @throws Fenced when the last commit was sent longer ago than the fence. */
  requireCurrent(): void {
    if (!this.#isYoung(this.#provenAt)) throw new Fenced();
  }
}
