import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServerUnavailable } from './errors.ts';
import { makeParents } from './folders.ts';
import { javaEnvironment, javaProgram, javaVersion } from './java.ts';
import { fetchKafkaJars, jarsAreCached, logSettingsFile, mavenRuns } from './kafka-jars.ts';
import { kafkaAnswers } from './kafka-probe.ts';
import { type KafkaNode, kafkaSettings } from './kafka-settings.ts';
import { requireFreePort } from './ports.ts';
import { untilLeft } from './previous-run.ts';
import { openServerLog } from './server-log.ts';
import { type ServerCommand, type ServerProcess, startServerProcess, untilReady } from './server-process.ts';
import { makeWholeFolder } from './whole-folder.ts';

/** Where a local Kafka keeps its data and listens. */
export interface KafkaOptions extends KafkaNode {
  /** Folder of the data, made when it does not exist. The log is beside it, in `<dataDir>-log/kafka.log`. */
  readonly dataDir: string;
  /** Takes a line for a person at each step that takes time. */
  readonly onProgress?: (line: string) => void;
  /** Breaks off the start. */
  readonly signal?: AbortSignal | undefined;
}

/** A running Kafka of one node. When this process ends, in whatever way, it is shut down. */
export interface LocalKafka extends AsyncDisposable {
  /** Addresses for clients, `host:port`. */
  readonly brokers: string[];
  /** The folder of the data, absolute and without symbolic links. */
  readonly dataDir: string;
  /** Process id of its Java machine. */
  readonly pid: number;
  /** Shuts down in order. Resolves when it has ended; a second time is no error. */
  stop(): Promise<void>;
  /** Crashes it with SIGKILL. Resolves when it is dead and can be started again. */
  kill(): Promise<void>;
}

/** Whether a local Kafka can be started on this machine, and what it lacks. */
export type KafkaAvailability = { readonly ok: true } | { readonly ok: false; readonly why: string };

const run = promisify(execFile);
const javaVersionMin = 17;
const readyTimeoutMs = 120_000;

/** Says whether Java is here, and either Kafka's jars or the Maven that fetches them. Fetches nothing. */
export async function kafkaAvailable(): Promise<KafkaAvailability> {
  const java = await javaVersion();
  if (java === undefined) return { ok: false, why: `Kafka needs Java ${javaVersionMin} or newer, and there is none` };
  if (java < javaVersionMin)
    return { ok: false, why: `Kafka needs Java ${javaVersionMin} or newer, and this is ${java}` };
  if ((await jarsAreCached()) || (await mavenRuns())) return { ok: true };
  return { ok: false, why: "Kafka's jars were not fetched yet, and there is no Maven (mvn) to fetch them" };
}

/**
 * Starts Apache Kafka, a single KRaft node, or a second broker beside one, that creates no topic unasked, and resolves when
 * it answers. The data folder may be started again on other ports.
 *
 * @throws ServerUnavailable when Java or the jars are missing and cannot be fetched.
 * @throws PortTaken when another process listens on a port.
 * @throws AlreadyRunning when a Kafka still runs on the folder after 10 s.
 * @throws ServerFailed with the end of the log when it ends instead of getting ready.
 */
export async function startKafka(options: KafkaOptions): Promise<LocalKafka> {
  const { signal, onProgress = () => {} } = options;
  const available = await kafkaAvailable();
  if (!available.ok) throw new ServerUnavailable(available.why);
  const node = { ...options, dataDir: await makeParents(options.dataDir) };
  await untilKafkaLeft(node.dataDir, onProgress);
  await requireFreePort(node.port);
  if (!node.joins) await requireFreePort(node.controllerPort);
  const jars = await fetchKafkaJars(onProgress, signal);
  await prepareNode(node, jars, onProgress);
  onProgress(`Starting Kafka on port ${node.port} ...`);
  const { pid, stop, kill } = await startServer(node, jars, signal);
  return { brokers: [`127.0.0.1:${node.port}`], dataDir: node.dataDir, pid, stop, kill, [Symbol.asyncDispose]: stop };
}

/** Waits for a Kafka whose owner has just died. @throws AlreadyRunning when it stays. */
export async function untilKafkaLeft(dataDir: string, onProgress: (line: string) => void): Promise<void> {
  const argument = settingsFile(dataDir);
  await untilLeft({ dataDir, pidFile: pidFile(dataDir), program: 'kafka.Kafka', argument }, onProgress);
}

async function prepareNode(node: KafkaNode, jars: string, onProgress: (line: string) => void): Promise<void> {
  await makeWholeFolder(node.dataDir, async (folder) => {
    onProgress(`Formatting ${node.dataDir} for Kafka (once) ...`);
    await format({ ...node, dataDir: folder }, jars);
  });
  await writeFile(settingsFile(node.dataDir), kafkaSettings(node));
}

async function format(node: KafkaNode, jars: string): Promise<void> {
  const settings = settingsFile(node.dataDir);
  await writeFile(settings, kafkaSettings(node));
  const clusterId = node.joins ? await clusterIdOf(node.joins) : randomBytes(16).toString('base64url');
  const controllers = node.joins ? '--no-initial-controllers' : '--standalone';
  const tool = ['kafka.tools.StorageTool', 'format', controllers, `--cluster-id=${clusterId}`, '--config', settings];
  await run(javaProgram(), [...javaArguments(jars), ...tool], { env: javaEnvironment() });
}

async function clusterIdOf({ dataDir }: KafkaNode): Promise<string> {
  const id = /^cluster\.id=(.+)$/m.exec(await readFile(join(dataDir, 'meta.properties'), 'utf8'))?.[1];
  if (!id) throw new ServerUnavailable(`${dataDir} is of no Kafka cluster`);
  return id;
}

async function startServer(
  { dataDir, port }: KafkaNode,
  jars: string,
  signal: AbortSignal | undefined,
): Promise<ServerProcess> {
  const command: ServerCommand = {
    name: 'Kafka',
    file: javaProgram(),
    args: [...javaArguments(jars), 'kafka.Kafka', settingsFile(dataDir)],
    env: javaEnvironment(),
    log: await openServerLog(dataDir, 'kafka'),
    signals: { ask: 'SIGTERM', force: 'SIGKILL' },
    signal,
  };
  const server = await startServerProcess(command);
  try {
    await writeFile(pidFile(dataDir), `${server.pid}\n`);
    await untilReady(command, server, () => kafkaAnswers(port), readyTimeoutMs);
    return server;
  } catch (error) {
    await server.kill();
    throw error;
  }
}

// Kafka takes folders of its data folder for topics, and leaves files alone.
const settingsFile = (dataDir: string): string => join(dataDir, 'server.properties');
const pidFile = (dataDir: string): string => join(dataDir, 'kafka.pid');

function javaArguments(jars: string): string[] {
  return [
    '-Xmx512m',
    // It lives for minutes, beside what it is there for: compiling it well costs more than that brings in.
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
    `-Dlog4j2.configurationFile=${logSettingsFile}`,
    '-cp',
    `${jars}/*`,
  ];
}
