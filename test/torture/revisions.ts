import { firstWhere } from './first-where.ts';
import { type Answered, type Completed, type Event, pastOf, type Revoked } from './history.ts';

type Teller = Revoked | Answered | Completed;

/** An answer that says that it knows less than it had to, and what it had to know; null: no more than was asked for. */
type Ignorant = readonly [told: Teller | null, answer: Answered];

/**
 * The answers by a lower revision than had been told by when they had to know all, than was told to be complete before they were
 * called for, however old they may be, or than was asked for.
 */
export function ignorantOf(events: readonly Event[]): Ignorant[] {
  const toldBefore = highestBefore(events.filter((event) => event.type === 'revoked' || event.type === 'answered'));
  const completeBefore = highestBefore(events.filter((event) => event.type === 'completed'));
  return events.flatMap((answer): Ignorant[] => {
    if (answer.type !== 'answered') return [];
    const { start, freshness, revision } = answer;
    if (revision === null) return [];
    const known = [toldBefore(pastOf(answer)), completeBefore(start)];
    const missed = known.find((one) => revision < numberOf(one));
    if (missed) return [[missed, answer]];
    return freshness.mode === 'revision' && revision < freshness.revision ? [[null, answer]] : [];
  });
}

/** Finds what had told the highest number of all that had come back before an instant. */
function highestBefore<One extends Teller>(tellers: readonly One[]): (instant: number) => One | undefined {
  const highest: One[] = [];
  for (const one of tellers.toSorted((a, b) => a.end - b.end)) {
    const number = numberOf(one);
    if (Number.isFinite(number) && number > numberOf(highest.at(-1))) highest.push(one);
  }
  return (instant) => highest[firstWhere(highest, ({ end }) => end >= instant) - 1];
}

const numberOf = (teller: Teller | undefined): number => teller?.revision ?? -1;
