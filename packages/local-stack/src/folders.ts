import { chmod, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

// Everyone may pass: Postgres may run as another user than this process. Files in them are guarded on their own.
const passableMode = 0o755;

/**
 * Makes the folders above `path` that do not exist, so that other users may pass through them.
 *
 * @returns the path without symbolic links, as which a running server is known.
 */
export async function makeParents(path: string): Promise<string> {
  const full = resolve(path);
  const parent = dirname(full);
  const first = await mkdir(parent, { recursive: true });
  if (first) await makePassable(parent, resolve(first));
  return realpath(full).catch(async () => join(await realpath(parent), basename(full)));
}

/** A temporary folder, removed with all that is in it at the end of an `await using` block. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes a temporary folder in which a data folder can be kept even when this process is root, unlike `mkdtemp`'s. */
export async function openTemporaryFolder(): Promise<TemporaryFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'touchstone-')));
  await chmod(path, passableMode);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10 }) };
}

async function makePassable(folder: string, first: string): Promise<void> {
  await chmod(folder, passableMode);
  if (folder !== first) await makePassable(dirname(folder), first);
}
