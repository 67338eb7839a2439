import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DemoTenant, Stack } from '@touchstone/local-stack';
import pg from 'pg';
import type { Bench } from './measure.ts';
import type { SeedBatch, SeedTask } from './seed-worker.ts';

/** Whose tokens, and for what. */
export type Holder = Pick<DemoTenant, 'tenantId' | 'appId' | 'audience' | 'scopes'>;

/** What records are made with. */
export interface SeedSource {
  readonly adminUrl: string;
  readonly masterKeyFile: string;
  /** Take turns. */
  readonly holders: readonly Holder[];
  /** How many users there are; they take turns too. */
  readonly users: number;
}

/**
 * Puts live records into the database, as IssueToken would have made them but in bulk and without audit events, and
 * returns their tokens, in the order of the turns. Afterwards the table is as upkeep leaves it: vacuumed, analysed,
 * written out.
 */
export async function seedTokens(
  { signal, onProgress }: Pick<Bench, 'signal' | 'onProgress'>,
  { postgres, masterKeyFile }: Stack,
  count: number,
  { holders, users = count }: { holders: readonly Holder[]; users?: number },
): Promise<string[]> {
  const source: SeedSource = { adminUrl: postgres.adminUrl, masterKeyFile, holders, users };
  const workers = availableParallelism();
  const tokens = new Array<string>(count);
  const report = reporter(onProgress, count);
  const take = ({ first, tokens: made }: SeedBatch) => {
    for (const [at, token] of made.entries()) tokens[first + at] = token;
    report(made.length);
  };
  await Promise.all(
    Array.from({ length: workers }, (_, part) => {
      const share = Math.floor((count * (part + 1)) / workers) - Math.floor((count * part) / workers);
      return runWorker({ ...source, count: share, first: Math.floor((count * part) / workers) }, take, signal);
    }),
  );
  await settle(source.adminUrl);
  return tokens;
}

/** Tells of each fifth that has been made. */
export function reporter(onProgress: (line: string) => void, count: number): (more: number) => void {
  let made = 0;
  let shown = 0;
  return (more) => {
    made += more;
    if (made < shown) return;
    onProgress(`Records: ${made.toLocaleString('en')} of ${count.toLocaleString('en')} ...`);
    shown = made + count / 5;
  };
}

async function runWorker(task: SeedTask, take: (batch: SeedBatch) => void, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const worker = new Worker(new URL('./seed-worker.ts', import.meta.url), { workerData: task });
  const stop = () => void worker.terminate();
  signal.addEventListener('abort', stop);
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on('message', take).on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error('seeding was broken off'))));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** What a bulk insert leaves behind must not be measured: hint bits, missing statistics, dirty pages. */
export async function settle(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  await client.query('vacuum (analyze) touchstone.token');
  await client.query('checkpoint');
  await client.end();
}
