import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The version that is built. */
const version = 'v1.9.3';
const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/**
 * A gRPC client that others wrote, in another language, which learns what there is from the servers alone.
 *
 * @returns what it printed, and how it ended: 0, or 64 and the code of the error.
 */
export type Grpcurl = (
  args: readonly string[],
  credential?: string,
) => Promise<{ readonly code: number; readonly output: string }>;

/** Builds grpcurl through Go, where that has not been done. Null where there is no Go: in CI that is a failure. */
export async function openGrpcurl(): Promise<Grpcurl | null> {
  const folder = join(root, '.cache', 'bin', `grpcurl-${version}`);
  const file = join(folder, process.platform === 'win32' ? 'grpcurl.exe' : 'grpcurl');
  const isBuilt = await access(file).then(
    () => true,
    () => false,
  );
  if (!isBuilt && !(await hasGo())) {
    if (process.env.CI === 'true') throw new Error('the tests with a foreign client need Go to build grpcurl');
    console.warn('the tests with a foreign client are skipped: there is no go on the PATH to build grpcurl with');
    return null;
  }
  if (!isBuilt) {
    await mkdir(folder, { recursive: true });
    await run('go', ['install', `github.com/fullstorydev/grpcurl/cmd/grpcurl@${version}`], {
      env: { ...process.env, GOBIN: folder },
    });
  }
  return async (args, credential) => {
    // Other users can read arguments: the credential comes from the environment.
    const header = credential === undefined ? [] : ['-expand-headers', '-H', `authorization: Bearer \${CREDENTIAL}`];
    const env = { ...process.env, CREDENTIAL: credential };
    try {
      const { stdout } = await run(file, ['-plaintext', ...header, ...args], { env });
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    }
  };
}

const hasGo = (): Promise<boolean> =>
  run('go', ['version']).then(
    () => true,
    () => false,
  );
