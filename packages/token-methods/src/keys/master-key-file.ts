import { randomBytes } from 'node:crypto';
import { chmod, open, readFile, stat } from 'node:fs/promises';

const header = 'touchstone-master-key-v1';
const keyBytes = 32;

/** The master key can't be used: the message says which file and why, and holds nothing of the key. */
export class MasterKeyUnusable extends Error {
  override readonly name = 'MasterKeyUnusable';
}

/**
 * Makes a new master key in a file that only its owner can read. Back the file up where the database's backups are not:
 * without it no token can be validated any more, and no user handle made again.
 * @throws when the file is there already: a master key is never written over.
 */
export async function createMasterKeyFile(path: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(`${header} ${randomBytes(keyBytes).toString('base64url')}\n`);
  await file.sync();
  await chmod(path, 0o600);
}

/** @throws MasterKeyUnusable where the file can't be read, others than its owner may read it, or it holds no master key. */
export async function readMasterKeyFile(path: string): Promise<Buffer> {
  const { mode } = await stat(path).catch(unreadable(path));
  if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
    throw new MasterKeyUnusable(`${path}: others than its owner may read it; chmod 600 it, and consider it leaked`);
  }
  const [word, text = ''] = (await readFile(path, 'utf8').catch(unreadable(path))).trim().split(' ');
  const key = Buffer.from(text, 'base64url');
  if (word !== header || key.length !== keyBytes) throw new MasterKeyUnusable(`${path}: this is no ${header}`);
  return key;
}

const unreadable =
  (path: string) =>
  ({ code }: NodeJS.ErrnoException): never => {
    const why = `it can't be read (${code}): it must be a file, and belong to the user that runs this`;
    throw new MasterKeyUnusable(`${path}: ${code === 'ENOENT' ? 'there is no such file' : why}`);
  };
