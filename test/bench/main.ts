/**
 * `npm run bench`: what Touchstone does on this machine, as a table and as JSON. Everything is measured against a null
 * RPC in the same run, on a stack of its own in a temporary folder.
 *
 *   npm run bench -- [--json FILE] [--records 1000000] [--seconds 5] [--kafka]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts, openTemporaryFolder, startStack } from '@touchstone/local-stack';
import { requireDurability } from './durability.ts';
import { installGhz } from './ghz.ts';
import { machineFacts, memoryOf } from './machine.ts';
import { startNullServer } from './null-server.ts';
import { protoset } from './protoset.ts';
import { measureRows } from './rows.ts';
import { loadTable, revokeAllTable, verdictTable } from './table.ts';
import { judge, type Results } from './targets.ts';

interface Options {
  readonly json: string;
  readonly records: number;
  readonly seconds: number;
  readonly kafka: boolean;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
// What the start needed must have been given back before a service counts as idle.
const idleMs = 5_000;
const onProgress = (line: string) => console.error(line);

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: join(root, '.touchstone', 'bench.json') },
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
  const [loadBefore = Number.NaN] = loadavg();
  const ghz = await installGhz(root, onProgress);
  await using temporary = await openTemporaryFolder();
  const folder = temporary.path;
  await using stack = await startStack({
    folder: join(folder, 'stack'),
    ports: await freePorts(),
    kafka: kafka ? 'local' : null,
    onProgress,
  });
  await sleep(idleMs, undefined, { signal });
  const idleMebibytes = memoryOf(stack);
  const postgres = await requireDurability(stack.postgres.adminUrl);
  const facts = {
    ...machineFacts(loadBefore, postgres.version),
    kafka,
    records,
    'seconds a run': seconds,
    ...postgres.settings,
  };
  console.log(`${describe(facts)}\n`);

  await using nullRpc = await startNullServer();
  const protosetFile = join(folder, 'bench.protoset');
  await writeFile(protosetFile, protoset());
  const rows = await measureRows(
    { ghz, folder, protosetFile, nullRpc, postgresPid: stack.postgres.pid, seconds, signal, onProgress },
    stack,
    records,
  );
  await report(json, facts, { idleMebibytes, ...rows });
}

async function report(json: string, facts: Facts, results: Results): Promise<void> {
  const { health, validate, validateShared, validateBatch, validateCached, validateCachedBatch } = results;
  const { issue, issueBatch, revoke, revokeAllFew, revokeAllMany } = results;
  const verdicts = judge(results);
  const validations = [validate, validateShared, validateBatch, validateCached, validateCachedBatch];
  console.log(`${loadTable([health, ...validations, issue, issueBatch, revoke])}\n`);
  console.log(`${explanation}\n`);
  console.log(`${revokeAllTable([revokeAllFew, revokeAllMany])}\n`);
  console.log(verdictTable(verdicts));
  await mkdir(dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify({ date: new Date(), facts, verdicts, results }, null, 2)}\n`);
  console.log(`\nAll numbers: ${json}`);
}

type Facts = Readonly<Record<string, unknown>>;

const describe = (facts: Facts): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ');

const explanation =
  'Each caller has a connection of its own, unless it is said otherwise.\n' +
  'calls/s: at saturation. p50, p99: at 70% of that. null: a bare echo on grpc-js, measured by turns with the row, each\n' +
  'at 70% of its own saturation; the ratios are of neighbouring runs, and everything is the median of the rounds.\n' +
  '!: the machine had become slower meanwhile and could not carry the 70%.';

/** Ctrl-C ends what runs, in order, and leaves nothing behind. */
async function main(): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  await bench(readOptions(), interruption.signal);
}

await main().catch((error: Error) => {
  console.error(error.name === 'AbortError' ? 'Broken off.' : `${error.stack}`);
  process.exitCode = 1;
});
