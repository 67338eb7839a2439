import { expect, test } from 'vitest';
import { ownKafka } from '../faults/own-kafka.ts';
import { faults as allFaults } from './faults.ts';
import { levels } from './history.ts';
import { guards, showing } from './patches.ts';
import { type TortureReport, torture } from './torture.ts';

const kafka = await ownKafka('torture');
const silent = () => {};

/** What to run to see it again. */
const again = ({ seed, violations }: TortureReport) => ({ seed, shortest: violations[0] });

test('through faults of every kind no answer is wrong, and no call fails as none may', async () => {
  const seed = Math.floor(Math.random() * 1e9);
  const report = await torture({
    seconds: 90,
    seed,
    kafka,
    faults: Object.keys(allFaults),
    guard: null,
    onProgress: silent,
  });
  expect(report.violations, JSON.stringify(again(report))).toEqual([]);
  expect(report.unexpected).toEqual([]);
  // That it did something.
  const { counts, faults } = report;
  for (const level of [...levels, 'grant']) expect(counts[`revoked ${level}`], level).toBeGreaterThan(10);
  for (const method of ['reference', 'encrypted', 'consent_key', 'signed', 'split', 'attenuable']) {
    expect(counts[`issued ${method}`], method).toBeGreaterThan(20);
    expect(counts[`answered of ${method} active`], method).toBeGreaterThan(50);
    expect(counts[`answered of ${method} refused`], method).toBeGreaterThan(50);
  }
  for (const call of ['ExchangeToken', 'RefreshToken']) {
    expect(counts[`${call} active`], call).toBeGreaterThan(50);
    expect(counts[`${call} refused`], call).toBeGreaterThan(10);
  }
  // One with a fourth comes about once in a minute: too seldom to count on.
  for (const ancestors of [1, 2, 3]) {
    expect(counts[`issued under ${ancestors} ancestors`], `${ancestors}`).toBeGreaterThan(0);
  }
  for (const mode of ['full', 'bounded', 'revision']) {
    expect(counts[`answered ${mode} active`], mode).toBeGreaterThan(200);
    expect(counts[`answered ${mode} refused`], mode).toBeGreaterThan(200);
  }
  expect(Object.keys(faults).length).toBeGreaterThanOrEqual(kafka ? 8 : 6);
});

/** A fault that depends on chance may be missed once. */
const attempts = 3;

test.each(Object.keys(guards))('a service that no longer %s is found out', async (guard) => {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const seed = attempt;
    const options = { seconds: 40, seed, kafka: false, faults: showing[guard] ?? [], guard, onProgress: silent };
    const { violations } = await torture(options);
    if (violations.length > 0) return;
  }
  expect.unreachable(`no answer was wrong in ${attempts} runs`);
});
