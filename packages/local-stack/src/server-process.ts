import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, spawnedAs } from './account.ts';
import { ServerFailed } from './errors.ts';
import { endWithThisProcess, type StopSignals } from './guard.ts';
import { killTree } from './processes.ts';
import type { ServerLog } from './server-log.ts';

/** What to run and how. */
export interface ServerCommand {
  /** For messages: "Postgres". */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment: what this process was given stays with it. */
  readonly env: NodeJS.ProcessEnv;
  /** The OS user to run as; absent for this process's own. */
  readonly account?: Account | undefined;
  /** Takes stdout and stderr. */
  readonly log: ServerLog;
  readonly signals: StopSignals;
  /** Breaks off the start. */
  readonly signal?: AbortSignal | undefined;
}

/** A running server, in a session of its own: Ctrl-C in the terminal leaves its end to whoever started it. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves with the exit code when the process has ended; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Asks it to end, forces it after 30 s, and resolves when it has ended. Ending it twice is no error. */
  stop(): Promise<void>;
  /** SIGKILL for it and its children; resolves when they are dead. */
  kill(): Promise<void>;
}

const stopTimeoutMs = 30_000;
const pollMs = 20;

/**
 * Starts a server that is asked to end, at the latest, when this Node process is gone.
 *
 * @throws the error of the OS when the file cannot be run; the signal's reason when that has been given.
 */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  command.signal?.throwIfAborted();
  const child = spawnInto(command);
  if (child.pid === undefined) throw (await once(child, 'error'))[0];
  const { pid } = child;
  const guard = endWithThisProcess(pid, command.signals);
  const exited = once(child, 'exit').then(([code]: (number | null)[]) => {
    guard.kill('SIGKILL');
    return code ?? null;
  });
  return { pid, exited, stop: () => stop(child, exited, command.signals), kill: () => kill(child, exited) };
}

/**
 * Waits for a server that was just started. One that does not get there is killed, or stopped when its start is broken
 * off.
 *
 * @throws ServerFailed when it ends, or is not ready after `timeoutMs`; the signal's reason when that is given.
 */
export async function untilReady(
  { name, log, signal }: ServerCommand,
  server: ServerProcess,
  isReady: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  while (!ended && Date.now() < deadline) {
    if (await isReady()) return;
    if (signal?.aborted) {
      await server.stop();
      throw signal.reason;
    }
    await sleep(pollMs);
  }
  const what = ended ? 'ended' : `was not ready in ${timeoutMs} ms`;
  await server.kill();
  throw new ServerFailed(name, what, log.file, log.end());
}

function spawnInto({ file, args, env, account, log }: ServerCommand): ChildProcess {
  const output = openSync(log.file, 'a', 0o600);
  try {
    const { user, ...command } = spawnedAs(account, file, args);
    const stdio = ['ignore', output, output] as const;
    return spawn(command.file, command.args, { cwd: '/', detached: true, env, stdio: [...stdio], ...user });
  } finally {
    closeSync(output);
  }
}

async function stop(child: ChildProcess, exited: Promise<unknown>, { ask, force }: StopSignals): Promise<void> {
  child.kill(ask);
  const forced = setTimeout(() => child.kill(force), stopTimeoutMs);
  await exited;
  clearTimeout(forced);
}

async function kill(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  // The pid of a child that was waited for may be another process's by now.
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await killTree(child.pid);
  await exited;
}
