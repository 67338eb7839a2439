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
  /** Programs that run as it may pass through folders that it may not enter, and read what is in them. */
  readonly passes?: boolean;
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
 * The user, with the right to pass through folders where it needs that to run the program and to enter the folder: root's
 * own folders, such as the temporary ones, let nobody else in.
 *
 * @throws FolderClosed naming the folder that does not let it through, where this process can't give that right.
 */
export async function accountReaching(account: Account, program: string, folder: string): Promise<Account> {
  try {
    await requireReachable(program, account);
    await requireReachable(folder, account);
    return account;
  } catch (closed) {
    if (!(closed instanceof FolderClosed)) throw closed;
    const passing = { ...account, passes: true };
    const { file, args } = spawnedAs(passing, program, ['--version']);
    await run(file, [...args]).catch(() => {
      throw closed;
    });
    return passing;
  }
}

/** What to spawn, and as whom, so that the program runs as the user; undefined: as this process's own. */
export function spawnedAs(
  account: Account | undefined,
  file: string,
  args: readonly string[],
): { readonly file: string; readonly args: readonly string[]; readonly user: { uid?: number; gid?: number } } {
  if (!account) return { file, args, user: {} };
  const { uid, gid, passes } = account;
  if (!passes) return { file, args, user: { uid, gid } };
  const alone = '-all,+dac_read_search';
  const rights = [`--inh-caps=${alone}`, `--ambient-caps=${alone}`, `--bounding-set=${alone}`];
  // Without the last, access(2), with which initdb looks for its programs, takes no account of the right.
  const options = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...rights, '--securebits=+no_setuid_fixup'];
  return { file: 'setpriv', args: [...options, '--', file, ...args], user: {} };
}

/** Each folder above what the user is to enter, or to run, must let it through, too. @throws FolderClosed */
async function requireReachable(path: string, account: Account): Promise<void> {
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
