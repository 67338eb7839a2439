/**
 * `npm run bench:methods`: what each token method costs, beside REFERENCE in the same run, as a table and as JSON. It takes
 * about twelve minutes.
 *
 *   npm run bench:methods -- [--json FILE] [--rounds 3] [--seconds 2]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { conclude, defaultJson, describe, openSetup, run } from '../setup.ts';
import { table, whole } from '../table.ts';
import { atLeast, type Verdict } from '../targets.ts';
import { type MeasuredMethod, measureMethods } from './measured.ts';

function readOptions() {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: defaultJson('bench-methods.json') },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
    },
  });
  return { json: resolve(values.json), rounds: Number(values.rounds), seconds: Number(values.seconds) };
}

const share = (part: number): string => part.toFixed(2);

function show(measured: readonly MeasuredMethod[]): void {
  const head = ['', 'characters', 'validate/s', 'of REFERENCE', 'CPU us', 'seen before/s', 'of it', 'CPU us'];
  const rows = measured.map(({ name, characters, validate, validateAgain, issue }) => [
    name,
    whole(characters),
    ...[validate, validateAgain, issue].flatMap(({ callsPerSecond, ofReference, cpu }) => [
      whole(callsPerSecond),
      share(ofReference),
      whole(cpu),
    ]),
  ]);
  console.log(`${table([...head, 'issue/s', 'of it', 'CPU us'], rows)}\n`);
  console.log(
    'validate: fully consistent, each token for the first time; seen before: again and again. CPU: of the service, a call.\n' +
      'Each with a consent of one user and three claims released; medians of rounds in which each is measured next to REFERENCE.\n',
  );
}

const judge = (measured: readonly MeasuredMethod[]): Verdict[] =>
  measured
    .filter(({ name }) => name !== 'REFERENCE')
    .flatMap(({ name, validate, issue, batchAgain }) => [
      atLeast(`${name}, ValidateToken / REFERENCE`, validate.ofReference, 0.6),
      atLeast(`${name}, IssueToken / REFERENCE`, issue.ofReference, 0.5),
      ...(name === 'ENCRYPTED'
        ? [atLeast(`${name}, BatchValidateTokens of tokens seen before / REFERENCE`, batchAgain.ofReference, 0.8)]
        : []),
    ]);

async function bench(signal: AbortSignal): Promise<void> {
  const { json, rounds, seconds } = readOptions();
  await using setup = await openSetup(seconds, signal);
  await using stack = await setup.start('stack', false);
  const facts = await setup.factsOf(stack);
  const results = await measureMethods({ ...setup, postgresPid: stack.postgres.pid }, stack, rounds);
  console.log(`${describe(facts)}\n`);
  show(results);
  await conclude(json, { facts, verdicts: judge(results), results });
}

await run(bench);
