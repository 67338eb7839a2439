import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const cache = fileURLToPath(new URL('../../../.cache', import.meta.url));
const isWindows = process.platform === 'win32';
const run = promisify(execFile);

/** Tokens to be verified as a resource server would that has nothing but a JWKS. */
export interface Question {
  readonly jwks: { readonly keys: readonly object[] };
  readonly issuer: string;
  readonly audience: string;
  readonly tokens: readonly string[];
}

/** What a token was found to say, or why it was refused. */
export type Answer =
  | { readonly payload: Readonly<Record<string, unknown>>; readonly error?: never }
  | { readonly error: string; readonly payload?: never };

/** A program that others' code makes the decisions of. @returns for each question, an answer for each token. */
export type Verifier = (questions: readonly Question[]) => Promise<readonly (readonly Answer[])[]>;

/** Go, with go-jose. Built where that has not been done; null where there is no Go: in CI that is a failure. */
export async function openGoVerifier(): Promise<Verifier | null> {
  if (!(await isThere('go', ['version']))) return missing('go');
  const source = join(here, 'go');
  const folder = await once('jose-go', [join(source, 'main.go'), join(source, 'go.sum')], async (folder) => {
    await run('go', ['build', '-o', folder, '.'], { cwd: source });
  });
  return asking(join(folder, isWindows ? 'jose.exe' : 'jose'), []);
}

/** Python, with PyJWT in an environment of its own, made where that has not been done; null where there is no Python 3. */
export async function openPythonVerifier(): Promise<Verifier | null> {
  const python = isWindows ? 'python' : 'python3';
  if (!(await isThere(python, ['-c', 'import ensurepip, venv']))) return missing(python);
  const requirements = join(here, 'python', 'requirements.txt');
  const inFolder = (folder: string) => join(folder, isWindows ? 'Scripts/python.exe' : 'bin/python');
  const folder = await once('jose-python', [requirements], async (folder) => {
    await run(python, ['-m', 'venv', folder]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    await run(inFolder(folder), [...install, '--requirement', requirements]);
  });
  return asking(inFolder(folder), [join(here, 'python', 'verify.py')]);
}

const asking =
  (file: string, args: readonly string[]): Verifier =>
  async (questions) => {
    const asked = run(file, args, { maxBuffer: 64 * 1_048_576 });
    asked.child.stdin?.end(JSON.stringify(questions));
    return JSON.parse((await asked).stdout);
  };

/** The folder that was made from these files, made where it is not there. One that was left half made is not taken. */
async function once(name: string, files: readonly string[], make: (folder: string) => Promise<void>): Promise<string> {
  const contents = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const folder = join(cache, 'bin', `${name}-${hash('sha256', contents.join('\0')).slice(0, 16)}`);
  const done = join(folder, '.done');
  if (await exists(done)) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await make(folder);
  await mkdir(done);
  return folder;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const isThere = (command: string, args: readonly string[]): Promise<boolean> =>
  run(command, args).then(
    () => true,
    () => false,
  );

function missing(command: string): null {
  if (process.env.CI === 'true') throw new Error(`the tests of tokens in other languages need ${command}`);
  console.warn(`tests of tokens in another language are skipped: there is no ${command} on the PATH that would do`);
  return null;
}
