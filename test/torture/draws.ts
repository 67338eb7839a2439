import type { Issued } from './history.ts';

/** Who tells best when the sequence of a token was drawn: itself, where nobody does better. */
export interface Draw {
  /** It was drawn after this one was asked for. */
  readonly after: Issued;
  /** It was drawn before this one was answered. */
  readonly before: Issued;
}

/**
 * Sequences are drawn in their order, each between the start and the end of the call that issues its token. So the calls of
 * others narrow the time in which a token's was drawn, however long its own call took.
 */
export function drawsOf(tokens: readonly Issued[]): (token: Issued) => Draw {
  const ordered = tokens.filter(({ sequence }) => sequence !== null).sort((a, b) => numberOf(a) - numberOf(b));
  const after = running(ordered, (latest, one) => (one.start > latest.start ? one : latest));
  const before = running(ordered.toReversed(), (earliest, one) => (one.end < earliest.end ? one : earliest));
  return (token) => ({ after: after.get(token.tokenId) ?? token, before: before.get(token.tokenId) ?? token });
}

const numberOf = ({ sequence }: Issued): number => sequence ?? 0;

/** For each of the tokens, what choosing between it and those before it comes to. */
function running(tokens: readonly Issued[], choose: (best: Issued, one: Issued) => Issued): Map<string, Issued> {
  const chosen = new Map<string, Issued>();
  let best: Issued | null = null;
  for (const one of tokens) {
    best = best ? choose(best, one) : one;
    chosen.set(one.tokenId, best);
  }
  return chosen;
}
