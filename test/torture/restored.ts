import {
  type Answered,
  type Event,
  type Issued,
  isForGood,
  lostMax,
  pastOf,
  type Restored,
  type Revoked,
  type Target,
  targetOf,
} from './history.ts';
import { lineageOf } from './lineage.ts';

/**
 * A database that is put back tells another history from then on: the one up to its backup, and what it goes on with. Each
 * of these is judged for itself. What can't be told from outside - whether a call came before the backup, or before the
 * database was put back - may have been so or not.
 */
export function historiesOf(events: readonly Event[], restores: readonly Restored[]): Event[][] {
  const histories: Event[][] = [];
  let [before, rest]: [Event[], readonly Event[]] = [[], events];
  for (const restored of restores) {
    const { putBack } = restored;
    const own = [...before, ...rest.filter(({ start }) => start <= putBack.end)];
    histories.push(own.flatMap((event) => (event.end < putBack.start ? event : unknown(event))));
    rest = rest.filter((event) => event.start > putBack.end && (event.type !== 'answered' || isOfNow(event, restored)));
    before = neededFor(
      rest,
      own.flatMap((event) => kept(event, restored)),
      restored,
    );
  }
  return [...histories, [...before, ...rest]];
}

/**
 * Whether it may not rest any more on what was known before; nor a refusal on what was lost, which may have come late from the topic
 * to whoever stands where that began.
 */
const isOfNow = (answer: Answered, { putBack, lost }: Restored): boolean =>
  pastOf(answer) > putBack.end && (answer.active || lost.size === 0 || answer.start > putBack.end + lostMax);

/** What is left of an event. */
function kept(event: Event, { backup, putBack }: Restored): Event[] {
  if (event.type === 'answered') return [];
  if (event.end < backup.start) return [event];
  // Whatever came of the calls before, this one was answered by the database that there is now.
  if (event.type === 'revoked' && (event.answeredFrom ?? 0) > putBack.end) return [event];
  const isLost = event.start > backup.end && event.end < putBack.start;
  if (!isLost) return unknown(event);
  // The database gives its number to another one.
  return event.type === 'issued' ? [{ ...event, sequence: null }, lossOf(event, putBack)] : [];
}

/** A revocation may have happened by its end; of a token nothing can be said. */
const unknown = (event: Event): Event[] => (event.type === 'revoked' ? [{ ...event, revision: null }] : []);

/** There is no such token any more: as if it had been revoked. */
const lossOf = (issued: Issued, { start, end }: Restored['putBack']): Revoked => ({
  type: 'revoked',
  start,
  end,
  target: { level: 'token', ...targetOf(issued) },
  revision: 0,
});

/** Without the tokens of which nothing more is said, and what was revoked before those that are left, unless for good. */
function neededFor(rest: readonly Event[], events: readonly Event[], { putBack }: Restored): Event[] {
  const said = saidOf(rest, events);
  const needed = events.filter((event) => event.type !== 'issued' || said.has(event.tokenId));
  const first = needed.reduce(
    (least, { type, start }) => (type === 'issued' ? Math.min(least, start) : least),
    putBack.end,
  );
  return needed.filter((event) => event.end >= first || isOfLater(event));
}

/** The tokens that the rest tells of, and what they were derived from. */
function saidOf(rest: readonly Event[], events: readonly Event[]): Set<string> {
  const known = new Map(events.flatMap((event) => (event.type === 'issued' ? [[event.tokenId, event]] : [])));
  const told = rest.flatMap((event) => {
    if (event.type === 'revoked' || event.type === 'completed') return [];
    return known.get((event.type === 'issued' ? event.parentId : event.tokenId) ?? '') ?? [];
  });
  return new Set(told.flatMap((token) => lineageOf(token, known) ?? []).map(({ tokenId }) => tokenId));
}

/** Whether it is about what is issued after it, too. */
const isOfLater = (event: Event): boolean =>
  event.type === 'revoked' && !isOfOne(event.target) && (event.target.level === 'grant' || isForGood(event.target));

const isOfOne = ({ level }: Target): boolean => level === 'token' || level === 'family';
