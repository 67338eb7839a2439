import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AlreadyRunning } from './errors.ts';
import { commandOf, isAlive } from './processes.ts';

/** How the server that last ran on a data folder is known. */
export interface PreviousRun {
  readonly dataDir: string;
  /** Its first line is the process id. */
  readonly pidFile: string;
  /** A part of the command of every server of this kind. */
  readonly program: string;
  /** An argument that only a server on this very folder is started with. */
  readonly argument: string;
}

const patienceMs = 10_000;
const pollMs = 50;

/**
 * Waits until the server that last ran on the folder is gone: one whose owner has just died is still shutting down.
 * Then removes its pid file; so it does when the number is that of some other program by now.
 *
 * @throws AlreadyRunning when it stays.
 */
export async function untilLeft(previous: PreviousRun, onProgress: (line: string) => void): Promise<void> {
  const { dataDir, pidFile, program, argument } = previous;
  const pid = await readPid(pidFile);
  if (pid === undefined) return;
  const command = await commandOf(pid);
  if (` ${command} `.includes(` ${argument} `)) {
    onProgress(`Waiting for process ${pid} to leave ${dataDir} ...`);
    await untilGone(pid, dataDir);
  } else if (command.includes(program)) {
    return; // Another folder's, most likely, but the new server will judge better.
  }
  await rm(pidFile, { force: true });
}

async function untilGone(pid: number, dataDir: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (await isAlive(pid)) {
    if (Date.now() > deadline) throw new AlreadyRunning(dataDir, pid);
    await sleep(pollMs);
  }
}

async function readPid(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? pid : undefined; // Not a number when the file is absent or was cut short.
}
