import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const version = 'v0.0.0-20260902155932-3fa63dd0344a';
const sum = 'h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c=';

/** One of the vectors: what else it has depends on the file. */
export interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  /** Acceptable: it may be refused. */
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly [name: string]: unknown;
}

export interface VectorGroup {
  readonly tests: readonly Vector[];
  readonly [name: string]: unknown;
}

/** Reads a file of vectors of Project Wycheproof. */
export type Wycheproof = (file: string) => Promise<readonly VectorGroup[]>;

/**
 * The vectors of github.com/C2SP/wycheproof, which are a module of Go: its cache keeps them. Null where there is no Go: in CI
 * that is a failure.
 */
export async function openWycheproof(): Promise<Wycheproof | null> {
  const folder = await download();
  if (folder === null) return null;
  return async (file) => JSON.parse(await readFile(join(folder, 'testvectors_v1', file), 'utf8')).testGroups;
}

async function download(): Promise<string | null> {
  try {
    const module = `github.com/c2sp/wycheproof@${version}`;
    const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module]);
    const downloaded = JSON.parse(stdout);
    if (downloaded.Sum !== sum) throw new Error('the vectors are not those that were asked for');
    return downloaded.Dir;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT' || process.env.CI === 'true') throw error;
    console.warn('the vectors of Project Wycheproof are skipped: there is no go on the PATH to get them with');
    return null;
  }
}
