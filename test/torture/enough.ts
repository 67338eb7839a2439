import { levels } from './history.ts';
import type { TortureReport } from './torture.ts';

type Done = Pick<TortureReport, 'counts' | 'faults'>;

/** From so long on a run is to have revoked so often at every level, been answered so often each way, and to have met every fault. */
const [minutesWanted, revocationsWanted, answersWanted] = [60, 10_000, 10_000];
const answers = ['full', 'bounded', 'revision'].flatMap((mode) => [`${mode} active`, `${mode} refused`]);

/** What a run of so many minutes has done too seldom, and how often. */
export function tooSeldom(minutes: number, { counts, faults }: Done, faultsWanted: readonly string[]) {
  if (minutes < minutesWanted) return [];
  return [
    ...levels.map((level) => [`revoked ${level}`, counts[`revoked ${level}`] ?? 0, revocationsWanted] as const),
    ...answers.map((what) => [`answered ${what}`, counts[`answered ${what}`] ?? 0, answersWanted] as const),
    ...faultsWanted.map((name) => [name, faults[name] ?? 0, 1] as const),
  ].flatMap(([what, count, wanted]) => (count < wanted ? [[what, count] as const] : []));
}

const unreadShareMax = 0.05;

/** Whether so few records were read that nothing can be said of the order in which tokens were made. */
export function hasReadTooFew({ counts }: Pick<Done, 'counts'>): boolean {
  const issued = Object.entries(counts).reduce((sum, [what, n]) => (/^issued \w+$/.test(what) ? sum + n : sum), 0);
  // Of refresh tokens no answer tells the id.
  const readable = issued - (counts['issued refresh_token'] ?? 0);
  return (counts['issued, and the record not read'] ?? 0) > unreadShareMax * readable;
}
