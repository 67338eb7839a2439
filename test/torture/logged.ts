import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As services log what is a fault of theirs: their callers are told a trace id alone. */
const isFault = (line: string): boolean => /"level":(50|60|"error"|"fatal")/.test(line);

/** The faults of their own that the services whose logs are in the folder have logged. */
export async function faultsLogged(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const name of glob('**/*-log/{issuer,validator,revocation}*.log', { cwd: folder })) {
    const text = await readFile(join(folder, name), 'utf8');
    lines.push(...text.split('\n').filter(isFault));
  }
  return lines;
}
