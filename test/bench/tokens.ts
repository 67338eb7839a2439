import { randomInt } from 'node:crypto';

/** Tokens that are alive. */
export interface Tokens {
  /** Up to so many at random, no two the same. */
  draw(countMax: number): string[];
  /** Up to so many at random that are not drawn again: for those who revoke them. */
  take(countMax: number): string[];
}

/** The tokens, in an order of chance. */
export function shuffled(tokens: string[]): Tokens {
  /** Moves tokens drawn at random from all to the front. */
  const shuffleFirst = (count: number) => {
    for (let at = 0; at < count; at++) {
      const from = randomInt(at, tokens.length);
      [tokens[at], tokens[from]] = [tokens[from] as string, tokens[at] as string];
    }
  };
  const draw = (countMax: number) => {
    const count = Math.min(countMax, tokens.length);
    shuffleFirst(count);
    return tokens.slice(0, count);
  };
  return {
    draw,
    take(countMax) {
      const taken = draw(countMax);
      tokens.splice(0, taken.length);
      return taken;
    },
  };
}
