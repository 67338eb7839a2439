import type { Needle } from './canary-needles.ts';

const hashBits = 18;
// The four telling bytes are looked for this far into a needle.
const anchorMax = 64;

interface Anchored {
  readonly needle: Needle;
  /** How far into the needle its four telling bytes stand. */
  readonly anchor: number;
}

/** A needle and where it stands. */
export interface Match {
  readonly needle: Needle;
  readonly at: number;
}

/**
 * Many needles at once. Of each, four bytes that few others share are entered in a small
 * table; the scan keeps the last four bytes in one integer, asks the table, and only then
 * compares. Nothing is skipped, so the cost hangs on the bytes read, hardly on the needles.
 */
export class NeedleIndex {
  readonly longest: number;
  /** By `windowHash`: not 0 if the four bytes may be those of a needle. For the inner loop. */
  readonly table = new Uint8Array(1 << hashBits);
  readonly #byWindow = new Map<number, Anchored[]>();

  constructor(needles: readonly Needle[]) {
    this.longest = Math.max(4, ...needles.map((needle) => needle.bytes.length));
    const counts = windowCounts(needles);
    for (const needle of needles) this.#add(needle, rarestWindow(needle, counts));
  }

  /** The needles around the four bytes `window` at `at` in `data`. */
  *matches(data: Buffer, at: number, window: number): Generator<Match> {
    for (const { needle, anchor } of this.#byWindow.get(window) ?? []) {
      const start = at - anchor;
      const end = start + needle.bytes.length;
      if (start < 0 || end > data.length) continue;
      if (needle.bytes.compare(data, start, end) === 0) yield { needle, at: start };
    }
  }

  #add(needle: Needle, anchor: number): void {
    const window = needle.bytes.readInt32BE(anchor);
    this.table[windowHash(window)] = 1;
    const alike = this.#byWindow.get(window);
    if (alike) alike.push({ needle, anchor });
    else this.#byWindow.set(window, [{ needle, anchor }]);
  }
}

/** Index into the table for four bytes read as a big-endian integer. */
export function windowHash(window: number): number {
  return Math.imul(window, 0x9e3779b1) >>> (32 - hashBits);
}

function* windowsOf({ bytes }: Needle): Generator<readonly [anchor: number, window: number]> {
  for (let anchor = 0; anchor <= Math.min(anchorMax, bytes.length - 4); anchor++) {
    yield [anchor, bytes.readInt32BE(anchor)];
  }
}

function windowCounts(needles: readonly Needle[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const needle of needles) {
    for (const [, window] of windowsOf(needle)) counts.set(window, (counts.get(window) ?? 0) + 1);
  }
  return counts;
}

function rarestWindow(needle: Needle, counts: ReadonlyMap<number, number>): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [anchor, window] of windowsOf(needle)) {
    const count = counts.get(window) ?? 0;
    if (count < least) [best, least] = [anchor, count];
  }
  return best;
}
