import { describe, expect, test } from 'vitest';
import { ownKafka } from '../faults/own-kafka.ts';
import { hasReadTooFew } from './enough.ts';
import { faultsWith } from './faults.ts';
import { levels } from './history.ts';
import { shortestOf } from './judge.ts';
import { controls, guards, showing } from './patches.ts';
import { type TortureReport, torture } from './torture.ts';

const kafka = await ownKafka('torture');
const silent = () => {};
const modes = ['full', 'bounded', 'revision'];

/** A run must have done more than this of each to say anything. */
const wanted: Readonly<Record<string, number>> = Object.fromEntries([
  ...[...levels, 'grant'].map((level) => [`revoked ${level}`, 10]),
  // Of many a token something else is revoked at the same time.
  ...levels.map((level) => [`refused by ${level} alone`, 3]),
  ...['reference', 'encrypted', 'consent_key', 'signed', 'split', 'attenuable'].flatMap((method) => [
    [`issued ${method}`, 20],
    [`answered of ${method} active`, 50],
    [`answered of ${method} refused`, 50],
  ]),
  ...['ExchangeToken', 'RefreshToken'].flatMap((call) => [
    [`${call} active`, 50],
    [`${call} refused`, 10],
  ]),
  // One with a fourth comes about once in a minute: too seldom to count on.
  ...[1, 2, 3].map((ancestors) => [`issued under ${ancestors} ancestors`, 0]),
  ...modes.flatMap((mode) => [
    [`answered ${mode} active`, 200],
    [`answered ${mode} refused`, 200],
  ]),
  ['answered in a batch', 200],
  ['told to be complete', 10],
  ['kinds of faults', faultsWith(kafka).length - 1],
]);

/** What it has done too little of, and how much. */
function missing({ counts, faults }: Pick<TortureReport, 'counts' | 'faults'>): [what: string, count: number][] {
  const done: Readonly<Record<string, number>> = { ...counts, 'kinds of faults': Object.keys(faults).length };
  return Object.keys(wanted).flatMap((what) => {
    const count = done[what] ?? 0;
    return count > (wanted[what] ?? 0) ? [] : [[what, count]];
  });
}

/** What to run to see it again. */
const again = ({ seed, violations, unexpected, logged }: TortureReport): string =>
  JSON.stringify({ seed, shortest: shortestOf(violations), unexpected, logged });

test('through faults of every kind no answer is wrong, and no call fails as none may', async () => {
  const seed = Math.floor(Math.random() * 1e9);
  const report = await torture({
    seconds: 90,
    goal: { secondsMax: 420, isReached: (done) => missing(done).length === 0 },
    seed,
    kafka,
    faults: faultsWith(kafka),
    guard: null,
    onProgress: silent,
  });
  expect(report.violations, again(report)).toEqual([]);
  expect(report.unexpected, again(report)).toEqual([]);
  expect(missing(report)).toEqual([]);
  expect(hasReadTooFew(report)).toBe(false);
});

/** Whether there is nothing to see without Kafka. */
const isOfKafka = (guard: string): boolean =>
  showing[guard]?.some((name) => !faultsWith(false).includes(name)) === true;

describe.each(Object.keys(controls))('a service that %s', (guard) => {
  test.skipIf(!kafka && isOfKafka(guard))('is not found out, however long it pauses', async () => {
    const faults = [...new Set(Object.values(showing).flat())].filter((name) => {
      return faultsWith(isOfKafka(guard)).includes(name);
    });
    const activesIn = ({ counts }: Pick<TortureReport, 'counts'>) =>
      modes.map((mode) => counts[`answered ${mode} active`] ?? 0);
    const isReached = (done: Pick<TortureReport, 'counts' | 'faults'>) =>
      faults.every((name) => name in done.faults) && Math.min(...activesIn(done)) > 50;
    const goal = { secondsMax: 240, isReached };
    const options = { seconds: 40, goal, seed: 1, kafka: isOfKafka(guard), faults, guard, onProgress: silent };
    const report = await torture(options);
    expect(report.violations, again(report)).toEqual([]);
    expect(report.unexpected, again(report)).toEqual([]);
    expect(Object.keys(report.faults).sort()).toEqual(faults.sort());
    expect(Math.min(...activesIn(report))).toBeGreaterThan(50);
  });
});

/** A fault that depends on chance may be missed: the slower the machine the fewer races there are. */
const attempts = 5;

describe.each(Object.keys(guards))('a service that no longer %s', (guard) => {
  test.skipIf(!kafka && isOfKafka(guard))('is found out', async () => {
    for (let seed = 1; seed <= attempts; seed++) {
      const faults = showing[guard] ?? [];
      const options = { seconds: 100, seed, kafka: isOfKafka(guard), faults, guard, onProgress: silent };
      const { violations } = await torture(options);
      if (violations.length > 0) return;
    }
    expect.unreachable(`no answer was wrong in ${attempts} runs`);
  });
});
