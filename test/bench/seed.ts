import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import type { SeedBatch, SeedTask } from './seed-worker.ts';

/** What records are made with. */
export interface SeedSource {
  readonly adminUrl: string;
  readonly masterKeyFile: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  /** How many users the records are of, by turns; where it is not said, each is of another. */
  readonly users?: number;
}

/**
 * Puts live records into the database, as IssueToken would have made them but in bulk and without audit events, and
 * returns their tokens. Afterwards the table is as upkeep leaves it: vacuumed, analysed, written out.
 */
export async function seedTokens(
  source: SeedSource,
  count: number,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (made: number) => void },
): Promise<string[]> {
  const workers = availableParallelism();
  const tokens: string[] = [];
  const take = (batch: SeedBatch) => {
    for (const token of batch) tokens.push(token);
    onProgress(tokens.length);
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
async function settle(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  await client.query('vacuum (analyze) touchstone.token');
  await client.query('checkpoint');
  await client.end();
}
