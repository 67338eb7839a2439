import { ageOf, type Clock, type Instant, instantOf } from '../clock.ts';
import type { CoverageWriter } from './ports.ts';

/** Milliseconds by which the database's clock may be off what it is expected to say. */
const driftMax = 500;

/**
 * Notes from when on every live validator has applied a revision. Who is live is told by the database's clock: where that
 * has jumped the census may count nobody, so nothing is noted until all have had the time to commit their rows again.
 */
export class Coverage {
  readonly #writer: CoverageWriter;
  readonly #clock: Clock;
  readonly #fenceMilliseconds: number;
  #last: Reading | null = null;
  #steadySince: Instant;

  constructor(writer: CoverageWriter, clock: Clock, fenceMilliseconds: number) {
    this.#writer = writer;
    this.#clock = clock;
    this.#fenceMilliseconds = fenceMilliseconds;
    this.#steadySince = instantOf(clock);
  }

  /** Looks once; to be called every so often. @throws StoreUnavailable */
  async advance(): Promise<void> {
    const sentAt = instantOf(this.#clock);
    const databaseNow = await this.#writer.advance(this.#expectedNow(), driftMax);
    const reading = { sentAt, databaseNow, receivedAt: instantOf(this.#clock) };
    if (!this.#last || !follows(reading, this.#last)) this.#steadySince = reading.receivedAt;
    this.#last = reading;
  }

  /** What the database's clock should say; null: it has not been right for long enough. */
  #expectedNow(): number | null {
    const isSteady = ageOf(this.#steadySince, this.#clock) > this.#fenceMilliseconds;
    return this.#last && isSteady ? this.#last.databaseNow + ageOf(this.#last.receivedAt, this.#clock) : null;
  }
}

/** What the database's clock said, at some time between two instants. */
interface Reading {
  readonly sentAt: Instant;
  readonly databaseNow: number;
  readonly receivedAt: Instant;
}

/** Whether as much time has passed by the database's clock as it has here. */
function follows(reading: Reading, last: Reading): boolean {
  const passed = reading.databaseNow - last.databaseNow;
  const [least, most] = [between(last.receivedAt, reading.sentAt), between(last.sentAt, reading.receivedAt)];
  return passed >= least - driftMax && passed <= most + driftMax;
}

const between = (first: Instant, second: Instant): number =>
  Math.max(second.wall - first.wall, second.monotonic - first.monotonic);
