import type { Clock } from '../clock.ts';
import type { CensusVersion, CoverageWriter } from './ports.ts';

/** Milliseconds by which a validator's clocks may lag behind this machine's within a fence. */
const slack = 1_000;

/**
 * Notes from when on every live validator has applied a revision. A validator answers for a fence from when it sent its last commit,
 * so for no longer than that from when its row was first seen here as it is; the row tells how long its fence is. That is told by
 * this machine's monotonic clock alone: the database's may be set, to and fro between two looks, and this machine's wall clock
 * together with it.
 */
export class Coverage {
  readonly #writer: CoverageWriter;
  readonly #clock: Clock;
  readonly #fenceMilliseconds: number;
  /** The rows of validators as they are, by their names; and since when each has been seen like that. */
  #seen = new Map<string, Seen>();
  /** The server that was asked, and since when. The census of another one may be older: of a backup that was put back. */
  #met: { readonly server: string; readonly at: number } | null = null;

  constructor(writer: CoverageWriter, clock: Clock, fenceMilliseconds: number) {
    this.#writer = writer;
    this.#clock = clock;
    this.#fenceMilliseconds = fenceMilliseconds;
  }

  /** Looks once; to be called every so often. @throws StoreUnavailable */
  async advance(): Promise<void> {
    const now = this.#clock.monotonic();
    const seen = [...this.#seen.values()];
    // Fences differ while they are being changed: of a row its own counts, of a server the longest.
    const isOver = (at: number, ...fences: readonly number[]): boolean =>
      now - at > Math.max(this.#fenceMilliseconds, ...fences) + slack;
    const lapsed = seen.filter(({ at, fence }) => isOver(at, fence));
    const fences = seen.map(({ fence }) => fence);
    const known = this.#met && isOver(this.#met.at, ...fences) ? this.#met.server : null;
    const { server, validators } = await this.#writer.advance(known, lapsed);
    // When the answer is there: what it shows was committed before.
    const at = this.#clock.monotonic();
    if (this.#met?.server !== server) this.#met = { server, at };
    this.#seen = new Map(validators.map((one) => [one.instanceId, this.#asSeen(one, at)]));
  }

  #asSeen(one: CensusVersion, at: number): Seen {
    const before = this.#seen.get(one.instanceId);
    return before?.version === one.version ? before : { ...one, at };
  }
}

/** At an instant of the monotonic clock. */
type Seen = CensusVersion & { readonly at: number };
