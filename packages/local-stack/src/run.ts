import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { StackFailed } from './errors.ts';
import { lockFolder } from './folder-lock.ts';
import { makeParents, openTemporaryFolder } from './folders.ts';
import { freePorts } from './free-ports.ts';
import { untilKafkaLeft } from './kafka.ts';
import { replaceLocalJson } from './local-json.ts';
import { requireFreePort } from './ports.ts';
import { untilPostgresLeft } from './postgres.ts';
import { portsOf, portVariables, readLocalSettings } from './settings.ts';
import { showMainJob, showNextSteps, showStack } from './show.ts';
import { type Stack, startStack } from './stack.ts';

export interface Flags {
  readonly folder: string;
  readonly kafka: boolean;
  readonly fresh: boolean;
  readonly ephemeral: boolean;
}

const print = (line: string) => console.log(line);

/** Starts everything, shows what it does, and stays until the signal is given; then everything is stopped. */
export async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const started = performance.now();
  const folder = flags.ephemeral ? resources.use(await openTemporaryFolder()).path : resolve(flags.folder);
  resources.use(await lockFolder(folder));
  const stack = resources.use(await start(flags, folder, signal));
  const localJson = join(folder, 'local.json');
  await replaceLocalJson(localJson, stack);
  print(`Touchstone is up after ${((performance.now() - started) / 1_000).toFixed(1)} s.`);
  showStack(stack, print);
  await showMainJob(stack, print);
  showNextSteps(stack, localJson, print);
  const ended = await Promise.race([untilAborted(signal), ...endsOf(stack)]);
  if (ended) throw new StackFailed(ended);
  print('\nStopping ...');
}

async function start({ ephemeral, fresh, kafka }: Flags, folder: string, signal: AbortSignal): Promise<Stack> {
  const settings = readLocalSettings();
  const brokers = settings.KAFKA_BROKERS;
  const startsKafka = kafka && brokers.length === 0;
  const stored = await makeParents(join(folder, 'stack'));
  await untilPostgresLeft(join(stored, 'postgres'), print);
  await untilKafkaLeft(join(stored, 'kafka'), print);
  if (fresh) await rm(stored, { recursive: true, force: true });
  if (!ephemeral) {
    for (const [variable, port] of portVariables(settings, startsKafka)) {
      await requireFreePort(port, `choose another one with ${variable}`);
    }
  }
  return startStack({
    folder: stored,
    ports: ephemeral ? await freePorts() : portsOf(settings),
    kafka: brokers.length > 0 ? brokers : startsKafka ? 'local' : null,
    onProgress: print,
    signal,
  });
}

/** Whatever ends by itself says which it was. */
const endsOf = ({ services, postgres }: Stack): Promise<string>[] => [
  ...Object.values(services).map(({ name, exited, logFile }) => exited.then(() => `the ${name}: ${logFile}`)),
  postgres.exited.then(() => `Postgres: ${postgres.dataDir}-log/postgresql.log`),
];

async function untilAborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return null;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return null;
}
