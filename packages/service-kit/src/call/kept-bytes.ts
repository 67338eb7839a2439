import { type Principal, Shares } from '@touchstone/core';

/** The most that is kept for all calls of a caller at once: bytes of messages, and of answers that it has not taken. */
const keptBytesMax = 64 * 1_024 * 1_024;
const kept = new Shares(keptBytesMax);

/** Bytes: what is smaller is not counted, for the call that it is of takes more by itself. */
export const largeBytes = 4_096;

/** What is kept for one call. */
export class KeptBytes {
  readonly #caller: Principal;
  #bytes = 0;

  constructor(caller: Principal) {
    this.#caller = caller;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts so many in place of those before, or says that they would be too many. For its caller's only call any number may be kept. */
  keep(bytes: number): boolean {
    const more = bytes - this.#bytes;
    if (more < 0) kept.giveBack(this.#caller, -more);
    else if (!kept.take(this.#caller, more, this.#bytes)) return false;
    this.#bytes = bytes;
    return true;
  }
}
