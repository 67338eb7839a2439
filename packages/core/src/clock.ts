/** The time of this machine, passed in so that tests can set it. */
export interface Clock {
  /** Milliseconds since 1970. May step in either direction. */
  wall(): number;
  /** Milliseconds since some fixed instant; never goes back, but may stand still while the machine is suspended. */
  monotonic(): number;
}

export const systemClock: Clock = { wall: () => Date.now(), monotonic: () => performance.now() };

/** An instant on both clocks. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

export const instantOf = (clock: Clock): Instant => ({ wall: clock.wall(), monotonic: clock.monotonic() });

/** Milliseconds since then: the greater of what the two clocks say, so that a suspended machine knows that it was. */
export const ageOf = (then: Instant, clock: Clock): number =>
  Math.max(clock.wall() - then.wall, clock.monotonic() - then.monotonic);
