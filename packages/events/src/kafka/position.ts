import type { Fetched } from './fetch.ts';
import type { PartitionMessage } from './record-batches.ts';

/** Up to where a partition has been read. */
export class Position {
  /** The offset that is read next. */
  next: bigint;
  /** What the partition has ended at. */
  readonly #end: bigint;

  constructor(from: bigint, end: bigint) {
    this.next = from;
    this.#end = end;
  }

  /** @throws where nothing more can come of it. */
  advance({ messages, end, highWatermark }: Fetched): PartitionMessage[] {
    const from = this.next;
    // A batch may begin before.
    const isRead = end !== null && end > from;
    if (isRead) this.next = end;
    else if (highWatermark !== null) {
      // Compacted away, or skipped otherwise: asking again would bring the same, at once.
      if (highWatermark > from) throw new Error(`nothing can be read at ${from}`);
      // Made anew, or cut: what lay there does not come again.
      if (highWatermark < this.#end) throw new Error(`it ends at ${highWatermark}, and had ended at ${this.#end}`);
    }
    return messages.filter(({ offset }) => offset >= from);
  }
}
