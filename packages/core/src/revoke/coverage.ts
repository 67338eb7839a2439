import type { Clock } from '../clock.ts';
import type { CoverageWriter } from './ports.ts';

/** Milliseconds by which the database's clock may be off what it is expected to say. */
const driftMax = 500;

/**
 * Notes from when on every live validator has applied a revision. Who is live is told by the database's clock: where that
 * has jumped the census may count nobody, so nothing is noted until all have had the time to commit their rows again.
 * Jumps are told by the monotonic clock alone: the wall clock may be set together with the database's.
 */
export class Coverage {
  readonly #writer: CoverageWriter;
  readonly #clock: Clock;
  readonly #fenceMilliseconds: number;
  /** From this one on the database's clock has gone as it should. */
  #base: Reading | null = null;

  constructor(writer: CoverageWriter, clock: Clock, fenceMilliseconds: number) {
    this.#writer = writer;
    this.#clock = clock;
    this.#fenceMilliseconds = fenceMilliseconds;
  }

  /** Looks once; to be called every so often. @throws StoreUnavailable */
  async advance(): Promise<void> {
    const sentAt = this.#clock.monotonic();
    const databaseNow = await this.#writer.advance(this.#expectedNow(), driftMax);
    const reading = { sentAt, databaseNow, receivedAt: this.#clock.monotonic() };
    if (!this.#base || !follows(reading, this.#base)) this.#base = isExact(reading) ? reading : null;
  }

  /** What the database's clock should say; null: it has not been right for long enough. */
  #expectedNow(): number | null {
    if (!this.#base) return null;
    const passed = this.#clock.monotonic() - this.#base.receivedAt;
    return passed > this.#fenceMilliseconds ? this.#base.databaseNow + passed : null;
  }
}

/** What the database's clock said, at some time between two instants of the monotonic clock. */
interface Reading {
  readonly sentAt: number;
  readonly databaseNow: number;
  readonly receivedAt: number;
}

const isExact = ({ sentAt, receivedAt }: Reading): boolean => receivedAt - sentAt <= driftMax;

/** Whether as much time has passed by the database's clock as it has here. */
function follows(reading: Reading, base: Reading): boolean {
  const passed = reading.databaseNow - base.databaseNow;
  const [least, most] = [reading.sentAt - base.receivedAt, reading.receivedAt - base.sentAt];
  return passed >= least - driftMax && passed <= most + driftMax;
}
