import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Java of `JAVA_HOME`, or else of the path. */
export function javaProgram(): string {
  const home = process.env.JAVA_HOME;
  return home ? join(home, 'bin', 'java') : 'java';
}

/** Major version of the Java that would run, such as 17; undefined when there is none. */
export async function javaVersion(): Promise<number | undefined> {
  const output = await run(javaProgram(), ['-version']).catch(() => undefined);
  const version = output && /version "(\d+)/.exec(output.stderr)?.[1];
  return version ? Number(version) : undefined;
}

/** Environment of a Java server: what Java itself needs, and nothing of ours. */
export function javaEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, JAVA_HOME, TMPDIR } = process.env;
  return { PATH, HOME, JAVA_HOME, TMPDIR, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
}
