/**
 * `npm run bench`: what Touchstone does on this machine, as a table and as JSON. Everything is measured against a null
 * RPC in the same run, on a stack of its own in a temporary folder.
 *
 *   npm run bench -- [--json FILE] [--records 1000000] [--seconds 5] [--kafka]
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { memoryOf } from './machine.ts';
import { measureRows } from './rows.ts';
import { conclude, defaultJson, describe, openSetup, run } from './setup.ts';
import { loadTable, revokeAllTable } from './table.ts';
import { judge, type Results } from './targets.ts';

interface Options {
  readonly json: string;
  readonly records: number;
  readonly seconds: number;
  readonly kafka: boolean;
}

// What the start needed must have been given back before a service counts as idle.
const idleMs = 5_000;

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: defaultJson('bench.json') },
      records: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '5' },
      kafka: { type: 'boolean', default: false },
    },
  });
  return {
    json: resolve(values.json),
    records: Number(values.records),
    seconds: Number(values.seconds),
    kafka: values.kafka,
  };
}

async function bench({ json, records, seconds, kafka }: Options, signal: AbortSignal): Promise<void> {
  await using setup = await openSetup(seconds, signal);
  await using stack = await setup.start('stack', kafka);
  await sleep(idleMs, undefined, { signal });
  const idleMebibytes = memoryOf(stack);
  const facts = { ...(await setup.factsOf(stack)), kafka, records };
  console.log(`${describe(facts)}\n`);
  const rows = await measureRows({ ...setup, postgresPid: stack.postgres.pid }, stack, records);
  const results: Results = { idleMebibytes, ...rows };
  show(results);
  await conclude(json, { facts, verdicts: judge(results), results });
}

function show(results: Results): void {
  const { health, validate, validateShared, validateBatch, validateCached, validateCachedBatch } = results;
  const { issue, issueBatch, revoke, revokeFew, revokeAllFew, revokeAllMany } = results;
  const validations = [validate, validateShared, validateBatch, validateCached, validateCachedBatch];
  console.log(`${loadTable([health, ...validations, issue, issueBatch, revoke, revokeFew])}\n`);
  console.log(`${explanation}\n`);
  console.log(`${revokeAllTable([revokeAllFew, revokeAllMany])}\n`);
}

const explanation =
  'Each caller has a connection of its own, unless it is said otherwise.\n' +
  'calls/s: at saturation. p50, p99: at 70% of that. null: a bare echo on grpc-js, measured by turns with the row, each\n' +
  'at 70% of its own saturation; the ratios are of neighbouring runs, and everything is the median of the rounds.\n' +
  '!: the machine had become slower meanwhile and could not carry the 70%.';

await run((signal) => bench(readOptions(), signal));
