/** Random choices that a seed decides: what a run does can be done again, if not in the same order. */
export interface Random {
  /** From 0 to below 1. */
  next(): number;
  below(count: number): number;
  of<Item>(items: readonly Item[]): Item;
}

/** Mulberry32: 32 bits of state, good enough to choose calls. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  const below = (count: number) => Math.floor(next() * count);
  return { next, below, of: (items) => items[below(items.length)] as (typeof items)[number] };
}

export const bytesOf = (random: Random, count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, () => random.below(256)));
