import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As services log a call that failed by a fault of theirs, with what their callers are not told. */
const isFault = (line: string): boolean => line.startsWith('{"level":50,') && line.includes('"INTERNAL"');

/** The calls that failed by faults of the services' own, as those have logged them in the folder. */
export async function faultsLogged(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const name of glob('**/*-log/{issuer,validator,revocation}*.log', { cwd: folder })) {
    const text = await readFile(join(folder, name), 'utf8');
    lines.push(...text.split('\n').filter(isFault));
  }
  return lines;
}
