import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a server's output goes. */
export interface ServerLog {
  readonly file: string;
  /** The last lines that were written since the log was opened; empty when there are none. */
  end(): string;
}

const keptBytes = 16 * 1024 * 1024;
const endBytes = 4_096;
const endLines = 15;

/**
 * Opens `<dataDir>-log/<name>.log` for one run of a server. What earlier runs wrote stays before it until the file is
 * longer than 16 MiB; then it is moved to `<name>.log.old`, so that the folder does not grow for ever.
 */
export async function openServerLog(dataDir: string, name: string): Promise<ServerLog> {
  const folder = `${dataDir}-log`;
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name}.log`);
  if (sizeOf(file) > keptBytes) renameSync(file, `${file}.old`);
  const start = sizeOf(file);
  return { file, end: () => readEnd(file, start) };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function readEnd(file: string, start: number): string {
  if (sizeOf(file) <= start) return '';
  const handle = openSync(file, 'r');
  try {
    const from = Math.max(start, fstatSync(handle).size - endBytes);
    const bytes = Buffer.alloc(endBytes);
    const text = bytes.toString('utf8', 0, readSync(handle, bytes, 0, endBytes, from));
    return text.trimEnd().split('\n').slice(-endLines).join('\n');
  } finally {
    closeSync(handle);
  }
}
