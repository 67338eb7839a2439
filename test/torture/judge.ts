import { type Draw, drawsOf } from './draws.ts';
import { type Answered, type Event, type Issued, isForGood, type Restored, type Revoked } from './history.ts';
import { lineageOf } from './lineage.ts';
import { historiesOf } from './restored.ts';
import { RevokedIndex } from './revoked-index.ts';

/** An answer that no promise allows, with the shortest history that shows it. */
export interface Violation {
  readonly promise: string;
  readonly history: readonly Event[];
}

/** A revocation of a token, or of one that it was derived from. */
interface Threat {
  readonly revoked: Revoked;
  /** The token, and what it was derived from, up to the one that is meant. */
  readonly line: readonly Issued[];
  /** When the sequence of the one that is meant was drawn. */
  readonly drawn: Draw;
}

/**
 * Holds a history against the promises.
 *
 * A token is a register that goes from live to dead once and never back, so whether its fully consistent answers can be
 * put in an order needs no search (Gibbons and Korach, Testing Shared Memories, 1997, for registers in general): there is
 * an instant of its death that comes after the start of every answer `active` and of some revocation, and before the end
 * of every refusal and of every revocation that surely covers it - or there is none. The same for answers that may be
 * stale, only that their past counts back from the call. What covers a token covers whatever was derived from it.
 */
export const judge = (events: readonly Event[], restores: readonly Restored[] = []): Violation[] =>
  historiesOf(events, restores).flatMap(judgeHistory);

/** The one that is told in the fewest events. */
export const shortestOf = (violations: readonly Violation[]): Violation | undefined =>
  violations.toSorted((a, b) => a.history.length - b.history.length)[0];

function judgeHistory(events: readonly Event[]): Violation[] {
  const revoked = new RevokedIndex(events.filter((event) => event.type === 'revoked'));
  const answers = Map.groupBy(
    events.filter((event) => event.type === 'answered'),
    ({ tokenId }) => tokenId,
  );
  const tokens = events.filter((event) => event.type === 'issued');
  const known = new Map(tokens.map((token) => [token.tokenId, token]));
  const tellerOf = drawsOf(tokens);
  return tokens.flatMap((token) => {
    const line = lineageOf(token, known);
    // What is not known of one is not known of what was derived from it.
    if (!line) return [];
    const threats = line.flatMap((member, i) => {
      const drawn = soundDraw(tellerOf(member), member);
      return revoked.of(member).map((one) => ({ revoked: one, line: line.slice(0, i + 1), drawn }));
    });
    return judgeToken(token, tellerOf(token), threats, revoked.ofGrant(token), answers.get(token.tokenId) ?? []);
  });
}

const isInOrder = ({ after }: Draw, token: Issued): boolean => after.start <= token.end;

/** What others tell counts for nothing where it can't be. */
const soundDraw = (drawn: Draw, token: Issued): Draw =>
  isInOrder(drawn, token) ? drawn : { after: token, before: token };

function judgeToken(
  token: Issued,
  told: Draw,
  threats: readonly Threat[],
  grants: readonly Revoked[],
  answers: readonly Answered[],
): Violation[] {
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
  const refusals = answers.filter(({ active, start }) => !active && start > token.end);
  // However fresh it was: what refused it had been committed by then.
  const firstRefusal = earliestEnd(refusals);
  for (const answer of actives) {
    const ignored = surely.find(({ revoked }) => isKnownTo(answer, revoked));
    if (ignored) found('active, and knows of its revocation', ...ignored.line, ignored.revoked, answer);
    const missed = missedBy(answer, surely);
    if (missed) {
      // Where it was under way meanwhile, another tells that it was covered.
      const { revoked, line, drawn } = missed;
      const isMeanwhile = !isForGood(revoked.target) && meantOf(missed).end >= revoked.start;
      const teller = isMeanwhile ? drawn.before : undefined;
      found(`active, ${answer.freshness.mode}, after its revocation returned`, ...line, revoked, teller, answer);
    }
    if (answer.freshness.mode === 'full' && firstRefusal && firstRefusal.end < answer.start) {
      found('active after it was refused', firstRefusal, answer);
    }
  }
  for (const refusal of refusals) {
    const before = threats.filter(({ revoked }) => revoked.start < refusal.end);
    if (before.length === 0) found('refused though nothing revokes it', refusal);
    else if (!before.some(mayCover)) {
      const first = earliestEnd(before.map(({ revoked }) => revoked));
      found('refused by a revocation from before it was asked for', first, draw.after, refusal);
    }
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

/** A revocation that returned before the sequence was drawn does not touch it. */
const mayCover = ({ revoked, drawn }: Threat): boolean => isForGood(revoked.target) || revoked.end >= drawn.after.start;

const isKnownTo = (answer: Answered, { revision }: Revoked): boolean =>
  answer.revision !== null && revision !== null && revision <= answer.revision;

/** A revocation that the answer had to know of. */
function missedBy({ start, freshness }: Answered, surely: readonly Threat[]): Threat | undefined {
  switch (freshness.mode) {
    case 'full':
      return surely.find(({ revoked }) => revoked.end < start);
    case 'bounded':
      return surely.find(({ revoked }) => revoked.end < start - freshness.milliseconds);
    case 'revision':
      return surely.find(({ revoked: { revision } }) => revision !== null && revision <= freshness.revision);
  }
}

const byStart = (a: Event, b: Event): number => a.start - b.start;

const earliestEnd = <Some extends Event>(events: readonly Some[]): Some | undefined =>
  events.reduce<Some | undefined>((first, one) => (first && first.end <= one.end ? first : one), undefined);
