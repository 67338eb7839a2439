import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { accountFor, accountReaching } from './account.ts';
import { makeParents } from './folders.ts';
import { requireFreePort } from './ports.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { type ClusterPlan, postgresEnvironment, prepareCluster, superuser } from './postgres-cluster.ts';
import { postgresSettings, settingArguments, usableMemory } from './postgres-settings.ts';
import { untilLeft } from './previous-run.ts';
import { openServerLog } from './server-log.ts';
import { type ServerCommand, type ServerProcess, startServerProcess, untilReady } from './server-process.ts';

/** Where a local Postgres keeps its data and listens. */
export interface PostgresOptions {
  /**
   * Folder of the data, made when it does not exist; an empty one gets a new cluster. Beside it stand the
   * superuser's password (`<dataDir>.password`, mode 0600) and the log (`<dataDir>-log/postgresql.log`).
   */
  readonly dataDir: string;
  /** TCP port on 127.0.0.1; nothing else is listened on. */
  readonly port: number;
  /** Takes a line for a person at each step that takes time. */
  readonly onProgress?: (line: string) => void;
  /** Breaks off the start. */
  readonly signal?: AbortSignal | undefined;
}

/** A running PostgreSQL. When this process ends, in whatever way, it is shut down. */
export interface LocalPostgres extends AsyncDisposable {
  readonly port: number;
  /** URL of the database `postgres` for the superuser. Holds the password: not for logs or arguments. */
  readonly adminUrl: string;
  /** The folder of the data, absolute and without symbolic links. */
  readonly dataDir: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly exited: Promise<unknown>;
  /** Shuts down in order, ending open connections. Resolves when it has ended; a second time is no error. */
  stop(): Promise<void>;
  /** Crashes it: SIGKILL for all its processes at once. Resolves when they are dead and it can be started again. */
  kill(): Promise<void>;
}

// A crash may leave gigabytes of log to be replayed.
const readyTimeoutMs = 300_000;

/**
 * Starts PostgreSQL with durability on, and resolves when it takes connections. When this process is root, Postgres
 * runs as the owner of the data folder or as the user `postgres`, which is made when it does not exist.
 *
 * @throws PortTaken when another process listens on the port.
 * @throws AlreadyRunning when a server still runs on the folder after 10 s.
 * @throws FolderClosed when this process is root, and neither may Postgres' user enter a folder above the data nor can it
 *   be given the right to pass through.
 * @throws FolderForeign when the folder holds something else, or another user's data.
 * @throws ServerFailed with the end of the log when it ends instead of getting ready.
 * @throws ServerUnavailable when there is no PostgreSQL for this platform.
 */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const { port, signal, onProgress = () => {} } = options;
  const plan = await planCluster(options.dataDir);
  const { dataDir } = plan;
  await untilPostgresLeft(dataDir, onProgress);
  await requireFreePort(port);
  const password = await prepareCluster(plan, onProgress);
  onProgress(`Starting Postgres on port ${port} ...`);
  const server = await startServer(plan, port, signal);
  const adminUrl = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  return { port, adminUrl, dataDir, ...lifecycle(server) };
}

/** Waits for a Postgres whose owner has just died. @throws AlreadyRunning when it stays. */
export async function untilPostgresLeft(dataDir: string, onProgress: (line: string) => void): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  await untilLeft({ dataDir, pidFile, program: 'postgres', argument: dataDir }, onProgress);
}

async function planCluster(folder: string): Promise<ClusterPlan> {
  const binaries = await postgresBinaries();
  const dataDir = await makeParents(folder);
  const owner = await accountFor(dataDir);
  const account = owner && (await accountReaching(owner, binaries.postgres, dirname(dataDir)));
  return { dataDir, binaries, account, log: await openServerLog(dataDir, 'postgresql') };
}

async function startServer(
  { dataDir, binaries, account, log }: ClusterPlan,
  port: number,
  signal: AbortSignal | undefined,
): Promise<ServerProcess> {
  const command: ServerCommand = {
    name: 'Postgres',
    file: binaries.postgres,
    args: ['-D', dataDir, ...settingArguments(postgresSettings(port, usableMemory()))],
    env: postgresEnvironment,
    account,
    log,
    signals: { ask: 'SIGINT', force: 'SIGQUIT' }, // Postgres' fast and immediate shutdown.
    signal,
  };
  const server = await startServerProcess(command);
  await untilReady(command, server, () => saysReady(dataDir, server.pid), readyTimeoutMs);
  return server;
}

// The postmaster keeps its state in the eighth line, where pg_ctl reads it too. A standby takes connections as one.
async function saysReady(dataDir: string, pid: number): Promise<boolean> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return lines[0] === String(pid) && /^(ready|standby)\s*$/.test(lines[7] ?? '');
}

function lifecycle({ pid, exited, stop, kill }: ServerProcess) {
  return { pid, exited, stop, kill, [Symbol.asyncDispose]: stop };
}
