/**
 * `npm run model`: searches the model of the consistency protocol, as it is and without each of its guards.
 *
 *   npm run model -- [--trace GUARD]
 */
import { parseArgs } from 'node:util';
import { table } from '../bench/table.ts';
import { type Searched, search } from './checker.ts';
import { configurations, needed } from './configurations.ts';
import { type Guard, guardNames, guards } from './guards.ts';
import { protocol, without } from './protocol.ts';
import { type Configuration, type Invariant, invariants, statesMax } from './state.ts';

type Row = readonly [name: string, outcome: string, states: string, seconds: string];

const searched = (configuration: Configuration) => search(protocol(configuration), statesMax);

function rowOf(name: string, { isComplete, states, seconds, violation }: Searched<Invariant>): Row {
  const held = isComplete ? 'holds' : 'not searched completely';
  return [name, violation ? `breaks ${violation.invariant}` : held, states.toLocaleString('en'), seconds.toFixed(1)];
}

function printAll(): boolean {
  const held = Object.entries(configurations).map(([name, configuration]) => ({
    name,
    found: searched(configuration),
  }));
  const broken = guardNames.map((guard) => ({ guard, found: searched(without(guard)) }));
  const rows = [
    ...held.map(({ name, found }) => rowOf(name, found)),
    ...broken.map(({ guard, found }) => rowOf(`without ${guard}`, found)),
  ];
  console.log(table(['', 'outcome', 'states', 'seconds'], rows));
  console.log(
    `\n${Object.entries(invariants)
      .map(([number, promise]) => `${number}  ${promise}`)
      .join('\n')}`,
  );
  return (
    held.every(({ found }) => found.isComplete) &&
    broken.every(({ guard, found }) => found.violation?.invariant === needed[guard][1])
  );
}

function printTrace(guard: Guard): void {
  const [configuration] = needed[guard];
  const { violation } = searched(without(guard));
  console.log(`Without this: ${guards[guard]}. Configuration: ${configuration}.\n`);
  for (const [index, step] of (violation?.trace ?? []).entries())
    console.log(`${String(index + 1).padStart(2)}  ${step}`);
  if (violation) console.log(`\nBroken: ${invariants[violation.invariant]}.`);
}

const { values } = parseArgs({ options: { trace: { type: 'string' } } });
const guard = guardNames.find((name) => name === values.trace);
if (values.trace === undefined) process.exitCode = printAll() ? 0 : 1;
else if (guard) printTrace(guard);
else {
  console.error(`There is no guard ${values.trace}. There are: ${guardNames.join(', ')}.`);
  process.exitCode = 1;
}
