import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ServerUnavailable } from './errors.ts';
import { isEmptyFolder, makeWholeFolder } from './whole-folder.ts';

const run = promisify(execFile);
const packageFolder = dirname(import.meta.dirname);
const repositoryFolder = dirname(dirname(packageFolder));

const kafkaVersion = '4.4.0'; // As in kafka/pom.xml.

/** Settings of Kafka's log. */
export const logSettingsFile = join(packageFolder, 'kafka', 'log4j2.properties');

function jarsFolder(): string {
  return join(process.env.TOUCHSTONE_CACHE ?? join(repositoryFolder, '.cache'), `kafka-${kafkaVersion}`);
}

/** Whether the jars were fetched before, so that no Maven is needed. */
export async function jarsAreCached(): Promise<boolean> {
  return !(await isEmptyFolder(jarsFolder()));
}

/** Whether Maven can be run. */
export async function mavenRuns(): Promise<boolean> {
  return run('mvn', ['--version']).then(
    () => true,
    () => false,
  );
}

/**
 * Fetches Kafka's jars with Maven, once, into a folder of `TOUCHSTONE_CACHE` or else of `.cache` in the repository.
 * Two processes that do so at the same time do not disturb each other.
 *
 * @returns their folder.
 * @throws ServerUnavailable with Maven's words when it cannot fetch them.
 */
export async function fetchKafkaJars(
  onProgress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const folder = jarsFolder();
  if (await jarsAreCached()) return folder;
  onProgress(`Fetching Kafka's jars into ${folder} (43 MB, once) ...`);
  await mkdir(dirname(folder), { recursive: true });
  await makeWholeFolder(folder, (unfinished) => copyJars(unfinished, signal));
  return folder;
}

async function copyJars(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const pom = join(packageFolder, 'kafka', 'pom.xml');
  const args = [
    '--batch-mode',
    '--quiet',
    '--file',
    pom,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${folder}`,
  ];
  try {
    await run('mvn', args, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const { stdout, message } = cause as Error & { stdout?: string };
    throw new ServerUnavailable(`Maven could not fetch Kafka's jars: ${stdout?.trim() || message}`, { cause });
  }
  await chmod(folder, 0o755); // The cache is for every user of the repository.
}
