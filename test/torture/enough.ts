import { levels } from './history.ts';

/** From so long on a run is to have revoked so often at every level. */
const [minutesWanted, revocationsWanted] = [60, 10_000];

/** Levels at which a run of so many minutes has revoked too seldom, and how often. */
export function tooSeldom(minutes: number, counts: Readonly<Record<string, number>>): [level: string, count: number][] {
  if (minutes < minutesWanted) return [];
  return levels.flatMap((level) => {
    const count = counts[`revoked ${level}`] ?? 0;
    return count < revocationsWanted ? [[level, count]] : [];
  });
}
