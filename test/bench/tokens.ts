import { randomInt } from 'node:crypto';

/** Tokens that are alive. */
export interface Tokens {
  /** Up to so many at random, no two the same. */
  draw(countMax: number): string[];
  /** Takes out so many of those drawn last, from the first on: what has been revoked is not drawn again. */
  spend(count: number): string[];
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
    // They are at the front.
    spend: (count) => tokens.splice(0, count),
  };
}
