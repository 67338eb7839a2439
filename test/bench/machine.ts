import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Stack } from '@touchstone/local-stack';
import { ghzVersion } from './ghz.ts';
import { residentMebibytes } from './usage.ts';

/** Where it was measured: numbers of two machines can't be compared. */
export function machineFacts(loadBefore: number, postgresVersion: string) {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    'memory, GiB': Math.round(totalmem() / 2 ** 30),
    // Of what else runs here: where it is not near 0 the numbers are worth little.
    'load before': loadBefore.toFixed(2),
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
