/**
 * `npm run torture`: real services, Postgres and Kafka under load and faults; every answer is held against the promises.
 *
 *   npm run torture -- [--minutes 60] [--seed N] [--guard NAME] [--no-kafka] [--no-faults] [--json FILE]
 *
 * It fails where an answer was wrong, where a call failed as none may, and where it has done too little to say anything of
 * it: a run of an hour or more is to have revoked often at every level, and met every fault.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { hasReadTooFew, tooSeldom } from './enough.ts';
import { faultsWith } from './faults.ts';
import type { Event, Issued } from './history.ts';
import { shortestOf } from './judge.ts';
import { controls, guards } from './patches.ts';
import { type TortureReport, torture } from './torture.ts';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    guard: { type: 'string' },
    kafka: { type: 'boolean', default: true },
    faults: { type: 'boolean', default: true },
    json: { type: 'string' },
  },
});
const guardNames = Object.keys({ ...guards, ...controls });
if (values.guard !== undefined && !guardNames.includes(values.guard)) {
  console.error(`--guard must be one of:\n${guardNames.map((name) => `  ${name}`).join('\n')}`);
  process.exit(2);
}
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
const started = Date.now();
console.log(`Seed ${values.seed}, ${values.minutes} minutes`);
const faults = values.faults ? faultsWith(values.kafka) : [];
const report = await torture({
  seconds: 60 * Number(values.minutes),
  seed: Number(values.seed),
  kafka: values.kafka,
  faults,
  guard: values.guard ?? null,
  signal: interruption.signal,
  onProgress: (line) => console.log(`${((Date.now() - started) / 1_000).toFixed(0).padStart(5)} s  ${line}`),
});
if (values.json) await writeFile(values.json, JSON.stringify(report, null, 2));
show(report);
const seldom = tooSeldom(Number(values.minutes), report, faults);
for (const [what, count] of seldom) console.log(`\nToo seldom: ${what}, ${count.toLocaleString('en')} times`);
const isBlind = hasReadTooFew(report);
if (isBlind) console.log('\nOf too many tokens the record was not read.');
const isWrong = report.violations.length + report.unexpected.length > 0;
process.exitCode = isWrong || isBlind || seldom.length > 0 ? 1 : 0;

function show({ seed, counts, faults, failures, unexpected, logged, violations }: TortureReport): void {
  for (const [title, lines] of Object.entries({
    Events: counts,
    Faults: faults,
    'Calls that failed, as they may': failures,
  })) {
    console.log(`\n${title}`);
    for (const [what, count] of Object.entries(lines))
      console.log(`${count.toLocaleString('en').padStart(9)}  ${what}`);
  }
  for (const line of new Set(unexpected)) console.log(`\nUnexpected: ${line}`);
  for (const line of logged) console.log(`\nLogged: ${line}`);
  const shortest = shortestOf(violations);
  if (!shortest) {
    console.log('\nNo answer was wrong.');
    return;
  }
  console.log(`\n${violations.length} WRONG, with seed ${seed}. ${shortest.promise}:`);
  for (const event of shortest.history) console.log(`  ${lineOf(event)}`);
}

function lineOf(event: Event): string {
  const when = `${event.start.toFixed(1).padStart(10)} .. ${event.end.toFixed(1).padStart(10)} ms`;
  switch (event.type) {
    case 'issued':
      return `${when}  issued ${event.method} ${tokenText(event)} for ${event.userId} at ${event.appId} of ${event.tenantId}`;
    case 'revoked':
      return `${when}  revoked ${JSON.stringify(event.target)}, revision ${event.revision ?? 'not known'}`;
    case 'completed':
      return `${when}  told that revision ${event.revision} is complete`;
    case 'answered':
      return `${when}  ${event.active ? 'ACTIVE' : 'refused'} ${JSON.stringify(event.freshness)} ${event.tokenId} by ${event.by}`;
  }
}

function tokenText({ tokenId, parentId, sequence, consentId, signingKeyId }: Issued): string {
  const known = Object.entries({ parentId, sequence, consentId, signingKeyId }).filter(([, value]) => value);
  return [tokenId, ...known.map(([name, value]) => `${name} ${value}`)].join(', ');
}
