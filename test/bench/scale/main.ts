/**
 * `npm run bench:scale`: what must not grow with what there is, as tables and as JSON: how long a revocation is on its
 * way to eight validators, what ten million records cost, hot users, hot apps, ten thousand tenants. It takes about 25
 * minutes and 10 GB of the disk, which it gives back.
 *
 *   npm run bench:scale -- [--json FILE] [--records 10000000] [--tokens 300000] [--tenants 10000] [--marks 100000]
 *                          [--revocations 200] [--seconds 3]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { conclude, defaultJson, describe, openSetup, run } from '../setup.ts';
import { measureScale } from './measured.ts';
import { showScale } from './tables.ts';
import { judgeScale } from './targets.ts';

const fewRecords = 10_000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: defaultJson('bench-scale.json') },
      records: { type: 'string', default: '10000000' },
      tokens: { type: 'string', default: '300000' },
      tenants: { type: 'string', default: '10000' },
      marks: { type: 'string', default: '100000' },
      revocations: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '3' },
    },
  });
  const { json, seconds, ...counts } = values;
  const { records, tokens, tenants, marks, revocations } = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, Number(count)]),
  ) as Record<keyof typeof counts, number>;
  const size = {
    fewRecords,
    records,
    hotTokens: tokens,
    tokens: Math.ceil((2 * tokens) / 3),
    tenants,
    marks,
    revocations,
  };
  return { json: resolve(json), seconds: Number(seconds), size };
}

async function bench(signal: AbortSignal): Promise<void> {
  const { json, seconds, size } = readOptions();
  await using setup = await openSetup(seconds, signal);
  const { facts, results } = await measureScale(setup, size);
  console.log(`${describe(facts)}\n`);
  showScale(results, size);
  await conclude(json, { facts, verdicts: judgeScale(results), results });
}

await run(bench);
