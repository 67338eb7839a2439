import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { Stack } from '@touchstone/local-stack';
import { ghzVersion } from './ghz.ts';
import { residentMebibytes } from './usage.ts';

/** Where it was measured: numbers of two machines can't be compared. */
export function machineFacts(postgresVersion: string) {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    'memory, GiB': Math.round(totalmem() / 2 ** 30),
    'load before': loadavg()[0]?.toFixed(2) ?? 'unknown',
    node: process.version,
    postgres: postgresVersion,
    ghz: ghzVersion,
    // The scheduler places the server, Postgres and ghz, in every row and for the null RPC alike. To see what fewer cores
    // do: `taskset -c 0,1 npm run bench`.
    pinning: 'none',
  };
}

/** What each service holds in memory, in MiB. */
export const memoryOf = ({ services }: Stack): Record<string, number | null> =>
  Object.fromEntries(Object.values(services).map(({ name, pid }) => [name, residentMebibytes(pid)]));
