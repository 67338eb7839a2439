import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** How a process sees the clocks of its machine. */
export interface Clocks {
  /** Milliseconds by which the wall clock is ahead of the truth; below 0: behind it. */
  readonly wallAhead?: number;
  /** Seconds of the monotonic clock in one second; 0: it stands still, as while the machine is suspended. */
  readonly monotonicRate?: number;
}

/** For a service whose clocks are to be set, from its start on or while it runs: see `set-clocks.ts`. */
export const clocksPreload = `--import=${pathToFileURL(join(import.meta.dirname, 'set-clocks.ts')).href}`;

/**
 * Sets the clocks of the service that has this gRPC port. It sees it with its next look, a millisecond later at most.
 * @param folder the CLOCKS_FOLDER of its environment.
 */
export async function setClocks(folder: string, grpcPort: number, clocks: Clocks): Promise<void> {
  const file = join(folder, String(grpcPort));
  // In one step: half a file would be a jump of its own.
  await writeFile(`${file}.new`, JSON.stringify(clocks));
  await rename(`${file}.new`, file);
}
