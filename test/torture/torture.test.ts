import { expect, test } from 'vitest';
import { ownKafka } from '../faults/own-kafka.ts';
import { faultsWith } from './faults.ts';
import { levels } from './history.ts';
import { shortestOf } from './judge.ts';
import { controls, guards, showing } from './patches.ts';
import { type TortureReport, torture } from './torture.ts';

const kafka = await ownKafka('torture');
const silent = () => {};

/** A run must have done more than this of each to say anything. */
const wanted: Readonly<Record<string, number>> = Object.fromEntries([
  ...[...levels, 'grant'].map((level) => [`revoked ${level}`, 10]),
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
  ...['full', 'bounded', 'revision'].flatMap((mode) => [
    [`answered ${mode} active`, 200],
    [`answered ${mode} refused`, 200],
  ]),
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
    goal: { secondsMax: 360, isReached: (done) => missing(done).length === 0 },
    seed,
    kafka,
    faults: faultsWith(kafka),
    guard: null,
    onProgress: silent,
  });
  expect(report.violations, again(report)).toEqual([]);
  expect(report.unexpected, again(report)).toEqual([]);
  expect(missing(report)).toEqual([]);
});

/** What every run without a guard is run as. */
const guardless = { kafka: false, onProgress: silent };

test.each(Object.keys(controls))('a service that %s is not found out, however long it pauses', async (guard) => {
  const faults = Object.values(showing).flat();
  const report = await torture({ ...guardless, seconds: 60, seed: 1, faults, guard });
  expect(report.violations, again(report)).toEqual([]);
  expect(report.unexpected, again(report)).toEqual([]);
});

/** A fault that depends on chance may be missed once. */
const attempts = 3;

test.each(Object.keys(guards))('a service that no longer %s is found out', async (guard) => {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const seed = attempt;
    const { violations } = await torture({ ...guardless, seconds: 100, seed, faults: showing[guard] ?? [], guard });
    if (violations.length > 0) return;
  }
  expect.unreachable(`no answer was wrong in ${attempts} runs`);
});
