/** Tokens that are alive. */
export interface Tokens {
  /** Up to so many of them at random, no two the same. */
  draw(countMax: number): string[];
  /** Up to so many that nothing else will get; to be revoked. */
  take(countMax: number): string[];
}
