import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AlreadyRunning } from './errors.ts';
import { makeParents } from './folders.ts';
import { commandOf } from './processes.ts';

const program = join(import.meta.dirname, 'main.ts');

/**
 * Keeps other runs of `npm start` off the folder until it is disposed of. A run that was killed leaves no hold.
 *
 * @throws AlreadyRunning when another run has the folder.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const pidFile = await makeParents(join(folder, 'start.pid'));
  await leaveIfHeld(folder, pidFile);
  try {
    await writeFile(pidFile, `${process.pid}\n`, { flag: 'wx' });
  } catch (error) {
    await leaveIfHeld(folder, pidFile); // By one that started at the same moment.
    throw error;
  }
  return { [Symbol.asyncDispose]: () => rm(pidFile, { force: true }) };
}

async function leaveIfHeld(folder: string, pidFile: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!pid) return;
  // In a container the same program has the same number again after a restart.
  if (pid !== process.pid && (await commandOf(pid)).includes(program)) throw new AlreadyRunning(folder, pid);
  await rm(pidFile, { force: true });
}
