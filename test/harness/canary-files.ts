import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Source } from './canary.ts';
import { toastValues } from './canary-toast.ts';
import { isWalSegment, walPayload } from './canary-wal.ts';

/** A file of a folder, found while a server may be writing there. */
export type FileSource = Extract<Source, { path: string }>;

/**
 * Every regular file under a folder, in the order of names; follows links (a write-ahead log or a
 * table space may be elsewhere). What vanishes in the meantime is passed over; the folder itself
 * must be there, and what may not be read is an error: it might be the place that leaks.
 */
export async function* filesUnder(folder: string): AsyncIterable<FileSource> {
  await readdir(folder);
  yield* walk(folder, folder, new Set());
}

/**
 * The files of a Postgres data directory, and beside them what its page format tears apart:
 * the write-ahead log without page headers, and values in TOAST tables put together and decompressed.
 */
export async function* postgresFiles(dataFolder: string): AsyncIterable<Source> {
  for await (const file of filesUnder(dataFolder)) {
    yield file;
    if (isWalSegment(file.path)) yield* unlessGone(walPayload(file));
    else yield* unlessGone(toastValues(file));
  }
}

async function* walk(folder: string, top: string, seen: Set<string>): AsyncIterable<FileSource> {
  const real = await unlessMissing(realpath(folder));
  if (real === undefined || seen.has(real)) return;
  seen.add(real);
  for (const name of (await unlessMissing(readdir(folder)))?.sort() ?? []) {
    const path = join(folder, name);
    const stats: Stats | undefined = await unlessMissing(stat(path));
    if (stats?.isDirectory()) yield* walk(path, top, seen);
    else if (stats?.isFile()) yield { name: relative(top, path), path, mayVanish: true };
  }
}

function* unlessGone(sources: Iterable<Source>): Generator<Source> {
  try {
    yield* sources;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
