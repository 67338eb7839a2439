import {
  type Case,
  casesOf,
  causesOf,
  hadToKnow,
  isInOrder,
  isKnownTo,
  knows,
  refusalsOf,
  soundDraw,
  type Threat,
} from './cases.ts';
import { type Event, type Issued, isForGood, pastOf, type Restored } from './history.ts';
import { historiesOf } from './restored.ts';
import { ignorantOf } from './revisions.ts';

/** An answer that no promise allows, with the shortest history that shows it. */
export interface Violation {
  readonly promise: string;
  readonly history: readonly Event[];
}

/**
 * Holds a history against the promises.
 *
 * A token is a register that goes from live to dead once and never back, so whether its fully consistent answers can be
 * put in an order needs no search (Gibbons and Korach, Testing Shared Memories, 1997, for registers in general): there is
 * an instant of its death that comes after the start of every answer `active` and of some revocation, and before the end
 * of every refusal and of every revocation that surely covers it - or there is none. The same for answers that may be
 * stale, only that their past counts back from the call. What covers a token covers whatever was derived from it. A
 * revocation that was known to an answer `active` does not touch the token, then or later: it is no cause of its death.
 */
export const judge = (events: readonly Event[], restores: readonly Restored[] = []): Violation[] =>
  historiesOf(events, restores).flatMap((history) => [
    ...ignorantOf(history).map(toViolation),
    ...casesOf(history).flatMap(judgeCase),
  ]);

/** The one that is told in the fewest events. */
export const shortestOf = (violations: readonly Violation[]): Violation | undefined =>
  violations.toSorted((a, b) => a.history.length - b.history.length)[0];

const toViolation = (history: readonly (Event | null)[]): Violation => ({
  promise: 'an answer that knows less than it had to',
  history: history.filter((event) => event !== null),
});

function judgeCase(one: Case): Violation[] {
  const { token, told, threats, grants, answers } = one;
  const violations: Violation[] = [];
  const found = (promise: string, ...history: readonly (Event | undefined)[]) => {
    const shown = new Set([token, ...history].filter((event) => event !== undefined));
    violations.push({ promise, history: [...shown].sort(byStart) });
  };

  if (!isInOrder(told, token)) found('its sequence is higher than that of one that was asked for later', told.after);
  const draw = soundDraw(told, token);
  const surely = threats.filter(isSure);
  // What it was derived from may end meanwhile: it is refused then.
  const own = surely.flatMap(({ line, revoked }) => (line.length === 1 && isForGood(revoked.target) ? revoked : []));
  const gone = grants.filter(({ revision }) => revision !== null);
  const dead = [...own, ...gone].find(({ end }) => end < draw.after.start);
  if (dead) found(`issued under a ${dead.target.level} that was dead before`, dead, draw.after);
  const actives = answers.filter(({ active }) => active);
  const refusals = refusalsOf(one);
  // What refused it had been committed by then.
  const firstRefusal = earliestEnd(refusals);
  for (const answer of actives) {
    const ignored = surely.find(({ revoked }) => isKnownTo(answer, revoked));
    if (ignored) found('active, and knows of its revocation', ...ignored.line, ignored.revoked, answer);
    const missed = surely.find(({ revoked }) => hadToKnow(answer, revoked));
    if (missed) {
      // Where it was under way meanwhile, another tells that it was covered.
      const { revoked, line, drawn } = missed;
      const isMeanwhile = !isForGood(revoked.target) && meantOf(missed).end >= revoked.start;
      const teller = isMeanwhile ? drawn.before : undefined;
      found(`active, ${answer.freshness.mode}, after its revocation returned`, ...line, revoked, teller, answer);
    }
    if (firstRefusal && firstRefusal.end < pastOf(answer)) found('active after it was refused', firstRefusal, answer);
  }
  const causesFor = causesOf(one);
  for (const refusal of refusals) {
    if (causesFor(refusal).length > 0) continue;
    const outlived = threats.find(({ revoked }) => revoked.start < refusal.end);
    const bygone = outlived ? undefined : one.bygone();
    if (outlived) {
      const active = actives.find((answer) => knows(answer, outlived.revoked));
      found('refused by a revocation that it had outlived', outlived.revoked, active, refusal);
    } else if (bygone) found('refused by a revocation from before it was asked for', bygone, draw.after, refusal);
    else found('refused though nothing revokes it', refusal);
  }
  if (token.method === 'refresh_token' && actives.length > 1) found('a refresh token was taken twice', ...actives);
  return violations;
}

/** The one of the line that the revocation is about. */
const meantOf = ({ line }: Threat): Issued => line.at(-1) as Issued;

/** Not one that failed, nor one that came back before the sequence was surely drawn, nor one of another's key. */
function isSure(threat: Threat): boolean {
  const { target, revision, start } = threat.revoked;
  return (
    revision !== null &&
    (isForGood(target) || threat.drawn.before.end < start) &&
    (target.level !== 'signing_key' || target.signingKeyId === meantOf(threat).signingKeyId)
  );
}

const byStart = (a: Event, b: Event): number => a.start - b.start;

const earliestEnd = <Some extends Event>(events: readonly Some[]): Some | undefined =>
  events.reduce<Some | undefined>((first, one) => (first && first.end <= one.end ? first : one), undefined);
