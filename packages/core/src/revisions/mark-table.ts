import { MarkSegment, segmentOf, segmentsCount } from './mark-segment.ts';

/** 32 bits that stand for a key. That two keys have the same costs time, and nothing else. */
export type KeyHash = (key: string) => number;

/** By FNV's factor over pairs of UTF-16 units, then MurmurHash3's over all, so that every bit depends on every unit. */
export const keyHash: KeyHash = (key) => {
  let hash = 0x811c9dc5 ^ key.length;
  const paired = key.length & ~1;
  for (let i = 0; i < paired; i += 2) {
    hash = mixed(hash ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), 0x01000193);
  }
  if (paired < key.length) hash = mixed(hash ^ key.charCodeAt(paired), 0x01000193);
  hash = mixed(hash, 0x85ebca6b);
  hash = mixed(hash, 0xc2b2ae35);
  // Signed: V8 would keep a number from 2^31 on as an object.
  return hash;
};

/** Multiplication carries upwards only; the shift brings down what it made. */
function mixed(hash: number, factor: number): number {
  const product = Math.imul(hash ^ (hash >>> 16), factor);
  return product ^ (product >>> 15);
}

/**
 * The ceilings of keys, and until when these cover anything, in far less memory than a Map of objects. Nothing is taken
 * for what it is not: a mark of another key would refuse a live token. The table is many small ones, so that no call
 * takes longer than one of them takes to grow or to be looked through. `covers` allocates nothing.
 */
export class MarkTable {
  readonly #hash: KeyHash;
  readonly #segments: (MarkSegment | undefined)[] = [];
  /** The glimpses of all keys, a bit each: while keys are few, most others are told from them without a hash. */
  readonly #glimpses = new Uint32Array(glimpsesCount / 32);
  #size = 0;
  #nextLooked = 0;

  constructor(hash = keyHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether there is a mark, and the sequence not above its ceiling. */
  covers(key: string, sequence: number): boolean {
    if (this.#size === 0 || !this.#hasGlimpseOf(key)) return false;
    const hash = this.#hash(key);
    return this.#segments[segmentOf(hash)]?.covers(key, hash, sequence) ?? false;
  }

  /** Infinity is above every sequence; undefined: there is no such mark. */
  ceilingOf(key: string): number | undefined {
    const hash = this.#hash(key);
    return this.#segments[segmentOf(hash)]?.ceilingOf(key, hash);
  }

  /** Infinity is never; undefined: there is no such mark. */
  coversUntilOf(key: string): number | undefined {
    const hash = this.#hash(key);
    return this.#segments[segmentOf(hash)]?.coversUntilOf(key, hash);
  }

  set(key: string, ceiling: number, coversUntil: number): void {
    const hash = this.#hash(key);
    let segment = this.#segments[segmentOf(hash)];
    if (!segment) {
      segment = new MarkSegment();
      this.#segments[segmentOf(hash)] = segment;
    }
    const before = segment.count;
    segment.set(key, hash, ceiling, coversUntil);
    this.#size += segment.count - before;
    const glimpse = glimpseOf(key);
    this.#glimpses[glimpse >>> 5] = (this.#glimpses[glimpse >>> 5] as number) | (1 << (glimpse & 31));
  }

  /** Forgets what covers nothing from then on; each call looks at one segment, `segmentsCount` of them at all. */
  forget(before: number): void {
    const at = this.#nextLooked;
    this.#nextLooked = (at + 1) % segmentsCount;
    const segment = this.#segments[at];
    if (!segment) return;
    const count = segment.count;
    // Where there is no memory for it, it throws and has forgotten nothing.
    segment.forget(before);
    this.#size += segment.count - count;
    if (segment.count === 0) this.#segments[at] = undefined;
  }

  #hasGlimpseOf(key: string): boolean {
    const glimpse = glimpseOf(key);
    return (((this.#glimpses[glimpse >>> 5] as number) >>> (glimpse & 31)) & 1) === 1;
  }
}

const glimpsesCount = 4_096;

/** Four bits of each of three units. */
function glimpseOf(key: string): number {
  const { length } = key;
  if (length < 2) return 0;
  const [middle, before, last] = [key.charCodeAt(length >>> 1), key.charCodeAt(length - 2), key.charCodeAt(length - 1)];
  return ((middle & 15) << 8) | ((before & 15) << 4) | (last & 15);
}
