import { randomBytes } from 'node:crypto';
import { chown, link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { FolderForeign, ServerFailed } from './errors.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { ServerLog } from './server-log.ts';
import { startServerProcess } from './server-process.ts';
import { isEmptyFolder, makeWholeFolder } from './whole-folder.ts';

/** Where the cluster is and who and what makes it. */
export interface ClusterPlan {
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  readonly log: ServerLog;
}

/** Name of the superuser. */
export const superuser = 'postgres';

/** Environment of PostgreSQL's programs: their output is in English, and nothing of ours is in it. */
export const postgresEnvironment: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/**
 * Makes the cluster when the folder is empty, or finds the one that is there.
 *
 * @returns the superuser's password, which is kept in `<dataDir>.password`.
 * @throws FolderForeign when something else is in the folder.
 */
export async function prepareCluster(plan: ClusterPlan, onProgress: (line: string) => void): Promise<string> {
  const { dataDir, account } = plan;
  const passwordFile = `${dataDir}.password`;
  if (await isEmptyFolder(dataDir)) {
    onProgress(`Making a Postgres cluster in ${dataDir} (once) ...`);
    await keepPassword(passwordFile, account);
    await makeWholeFolder(dataDir, (folder) => initdb(plan, folder, passwordFile));
  }
  await requireCluster(dataDir);
  return readPassword(passwordFile);
}

async function requireCluster(dataDir: string): Promise<void> {
  const control = await stat(join(dataDir, 'global', 'pg_control')).catch(() => undefined);
  if (!control) throw new FolderForeign(dataDir, 'is neither empty nor a Postgres cluster');
}

async function readPassword(passwordFile: string): Promise<string> {
  const password = await readFile(passwordFile, 'utf8').catch(() => '');
  if (password === '') throw new FolderForeign(passwordFile, "should hold the superuser's password and does not");
  return password.trim();
}

// Written whole or not at all; one that is there stays, for a cluster may have been made with it.
async function keepPassword(passwordFile: string, account: Account | undefined): Promise<void> {
  const unfinished = `${passwordFile}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(unfinished, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    if (account) await chown(unfinished, account.uid, account.gid); // initdb reads it.
    await link(unfinished, passwordFile).catch(ignoreExisting);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function initdb(plan: ClusterPlan, folder: string, passwordFile: string): Promise<void> {
  const { account, binaries, log } = plan;
  if (account) await chown(folder, account.uid, account.gid);
  const args = initdbArguments(folder, passwordFile);
  const signals = { ask: 'SIGTERM', force: 'SIGKILL' } as const;
  const command = { name: 'initdb', file: binaries.initdb, args, env: postgresEnvironment, account, log, signals };
  const code = await (await startServerProcess(command)).exited;
  if (code !== 0) throw new ServerFailed('initdb', 'failed', log.file, log.end());
}

function initdbArguments(folder: string, passwordFile: string): string[] {
  return [
    `--pgdata=${folder}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own C.UTF-8, the same on every system; the C library's is missing on some.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ];
}
