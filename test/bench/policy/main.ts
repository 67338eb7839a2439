/**
 * `npm run bench:policy`: what a policy of a thousand rules costs, in memory and at IssueToken. It takes about two minutes.
 *
 *   npm run bench:policy -- [--json FILE] [--rounds 5] [--seconds 2]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { conclude, defaultJson, describe, openSetup, run } from '../setup.ts';
import { table, whole } from '../table.ts';
import { atLeast, atMost, type Verdict } from '../targets.ts';
import { type Evaluated, evaluateRules } from './evaluated.ts';
import { type IssuedUnderRules, issueUnderRules } from './issued.ts';

function readOptions() {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: defaultJson('bench-policy.json') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
    },
  });
  return { json: resolve(values.json), rounds: Number(values.rounds), seconds: Number(values.seconds) };
}

function show(evaluated: readonly Evaluated[], issued: IssuedUnderRules): void {
  const rows = evaluated.map(({ name, matching, microseconds }) => [name, whole(matching), microseconds.toFixed(2)]);
  console.log(`${table(['a thousand rules', 'about the token', 'us'], rows)}\n`);
  console.log(
    `IssueToken: ${whole(issued.thousand)}/s under a thousand rules, ${whole(issued.single)}/s under one; ` +
      'medians of rounds in which each is measured next to the other.\n',
  );
}

const judge = (evaluated: readonly Evaluated[], { ratio }: IssuedUnderRules): Verdict[] => [
  ...evaluated.map(({ name, microseconds }) => atMost(`policy evaluated, ${name}, us`, microseconds, 20)),
  atLeast('IssueToken under a thousand rules / under one', ratio, 0.9),
];

async function bench(signal: AbortSignal): Promise<void> {
  const { json, rounds, seconds } = readOptions();
  await using setup = await openSetup(seconds, signal);
  const evaluated = evaluateRules();
  await using stack = await setup.start('stack', false);
  const facts = await setup.factsOf(stack);
  const issued = await issueUnderRules({ ...setup, postgresPid: stack.postgres.pid }, stack, rounds);
  console.log(`${describe(facts)}\n`);
  show(evaluated, issued);
  await conclude(json, { facts, verdicts: judge(evaluated, issued), results: { evaluated, issued } });
}

await run(bench);
