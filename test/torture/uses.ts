import type { Revoked, Target } from './history.ts';
import type { Outcome, Recorded } from './recorded.ts';

/** How a refresh token has been used. */
export interface Uses {
  /** How often. */
  count: number;
  /** When the second one was sent: no earlier can its family end by it. */
  secondAt: number;
  /** How many of them are not over. */
  underWay: number;
  /** Whether one of them has taken it, or may have. */
  isTaken: boolean;
  /** Of one of them nobody knows what came of it. */
  isUnknown: boolean;
  /** The end of its family, where that may have come; null: no use was a second one, or it is known what came of each. */
  threat: Revoked | null;
}

export const unused = (): Uses => ({
  count: 0,
  secondAt: Number.POSITIVE_INFINITY,
  underWay: 0,
  isTaken: false,
  isUnknown: false,
  threat: null,
});

/** With this an issuer says that a refresh token has been used before, and that its family has ended. */
export const reused = 'REFRESH_TOKEN_REUSED';

/** Only a second use can end the family: from then on any of those that are not over may, and one of which nobody knows. */
export async function whileUsed<Use extends Outcome<unknown>>(
  recorded: Recorded,
  uses: Uses,
  target: Target,
  call: () => Promise<Use>,
): Promise<Use> {
  const { events, underWay, unexpected } = recorded;
  const start = performance.now();
  uses.count++;
  uses.underWay++;
  if (uses.count === 2) uses.secondAt = start;
  if (uses.count > 1 && !uses.threat) {
    uses.threat = { type: 'revoked', start, end: Number.POSITIVE_INFINITY, target, revision: null };
    underWay.add(uses.threat);
  }
  const use = await call();
  uses.underWay--;
  uses.isUnknown ||= use.isUnknown;
  uses.isTaken ||= use.isUnknown || use.answer !== null;
  if (uses.underWay > 0) return use;
  if (use.reason === reused && !uses.isTaken) unexpected.push('RefreshToken took a first use for a second one');
  if (uses.threat && underWay.delete(uses.threat)) {
    if (uses.isUnknown) events.push(uses.threat);
    else uses.threat = null;
  }
  return use;
}
