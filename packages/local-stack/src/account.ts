import { execFile } from 'node:child_process';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { FolderClosed, FolderForeign, ServerUnavailable } from './errors.ts';

const run = promisify(execFile);

/** A user of the operating system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that Postgres runs as when this process is root, as which it refuses to: the owner of the data folder,
 * and for a new one or root's the user `postgres`, which is made when it does not exist. Undefined when this process
 * is not root, for then Postgres runs as the same user.
 *
 * @throws FolderForeign when this process is not root and the data folder belongs to another user.
 */
export async function accountFor(dataDir: string): Promise<Account | undefined> {
  const owner = await stat(dataDir).catch(() => undefined);
  if (process.getuid?.() !== 0) {
    if (owner && owner.uid !== process.getuid?.()) throw new FolderForeign(dataDir, 'belongs to another user');
    return undefined;
  }
  return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : postgresAccount();
}

/**
 * Makes sure that the user may enter the folder, or run the program: each folder above it must let them through, too.
 *
 * @throws FolderClosed naming the one that does not.
 */
export async function requireReachable(path: string, account: Account): Promise<void> {
  for (let step = await realpath(path); ; step = dirname(step)) {
    if (!mayEnter(await stat(step), account)) throw new FolderClosed(path, step, await nameOf(account));
    if (step === dirname(step)) return;
  }
}

/** Whether permissions let the user through a folder, or run a program. */
export function mayEnter(folder: { uid: number; gid: number; mode: number }, account: Account): boolean {
  if (folder.uid === account.uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === account.gid) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}

async function postgresAccount(): Promise<Account> {
  return (await lookUp('postgres')) ?? (await createPostgresUser());
}

async function createPostgresUser(): Promise<Account> {
  try {
    await run('groupadd', ['--force', '--system', 'postgres']);
    await run('useradd', ['--system', '--no-create-home', '--gid', 'postgres', 'postgres']);
  } catch (cause) {
    const made = await lookUp('postgres'); // By another process, in the meantime.
    if (made) return made;
    const remedy = 'make it, or start as an ordinary user';
    throw new ServerUnavailable(`Postgres refuses to run as root, and there is no user postgres: ${remedy}`, { cause });
  }
  return postgresAccount();
}

async function lookUp(user: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (what) => Number((await run('id', [what, user])).stdout)),
    );
    return uid === undefined || gid === undefined ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}

async function nameOf({ uid }: Account): Promise<string> {
  const { stdout } = await run('id', ['-un', String(uid)]).catch(() => ({ stdout: '' }));
  return stdout.trim() ? `the user ${stdout.trim()}` : `user ${uid}`;
}
