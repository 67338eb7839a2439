import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isAlive } from './processes.ts';

/** Whether the folder holds nothing; one that does not exist holds nothing. */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.length === 0;
}

/**
 * Makes a folder whole or not at all: `fill` works on another one beside it, which is renamed into place at the end.
 * What an interrupted process left behind is removed. When two processes make the same folder at once, the first
 * one's stays, and the other's is dropped. Does nothing when the folder already holds something.
 */
export async function makeWholeFolder(folder: string, fill: (unfinished: string) => Promise<void>): Promise<void> {
  if (!(await isEmptyFolder(folder))) return;
  await removeAbandoned(folder);
  const unfinished = await mkdtemp(`${unfinishedPrefix(folder)}${process.pid}-`);
  try {
    await fill(unfinished);
    await renameUnlessTaken(unfinished, folder);
  } finally {
    await remove(unfinished);
  }
}

const unfinishedPrefix = (folder: string): string => `${folder}.unfinished-`;

async function removeAbandoned(folder: string): Promise<void> {
  const prefix = basename(unfinishedPrefix(folder));
  const names = (await readdir(dirname(folder))).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    const maker = Number.parseInt(name.slice(prefix.length), 10);
    if (!(await isAlive(maker))) await remove(join(dirname(folder), name));
  }
}

async function renameUnlessTaken(unfinished: string, folder: string): Promise<void> {
  try {
    await rename(unfinished, folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

// Retries, because what wrote into it may be about to end.
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
