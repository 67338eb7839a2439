import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, openTemporaryFolder, type Stack, startStack } from '@touchstone/local-stack';
import { requireDurability } from './durability.ts';
import { installGhz } from './ghz.ts';
import { machineFacts } from './machine.ts';
import type { Bench } from './measure.ts';
import { startNullServer } from './null-server.ts';
import { protoset } from './protoset.ts';
import { verdictTable } from './table.ts';
import type { Verdict } from './targets.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where a bench leaves its numbers, unless it is told otherwise. */
export const defaultJson = (name: string): string => join(root, '.touchstone', name);

/** What a bench has before there is a stack to measure. */
export interface Setup extends Omit<Bench, 'postgresPid'>, AsyncDisposable {
  /** Starts a stack in a folder of the bench's; whoever starts it stops it. */
  start(name: string, kafka: boolean): Promise<Stack>;
  /** Where a stack is measured, and how. @throws NotDurable */
  factsOf(stack: Stack): Promise<Facts>;
}

/** What was measured, and where. */
export type Facts = Readonly<Record<string, unknown>>;

/** Makes what load comes from, and the yardstick, in a temporary folder. @throws GhzUnavailable */
export async function openSetup(seconds: number, signal: AbortSignal): Promise<Setup> {
  const [loadBefore = Number.NaN] = loadavg();
  await using opening = new AsyncDisposableStack();
  const ghz = await installGhz(root, onProgress);
  const { path: folder } = opening.use(await openTemporaryFolder());
  const protosetFile = join(folder, 'bench.protoset');
  await writeFile(protosetFile, protoset());
  const nullRpc = opening.use(await startNullServer());
  const resources = opening.move();
  return {
    ghz,
    folder,
    protosetFile,
    nullRpc,
    seconds,
    signal,
    onProgress,
    async start(name, kafka) {
      const ports = await freePorts();
      return startStack({ folder: join(folder, name), ports, kafka: kafka ? 'local' : null, onProgress, signal });
    },
    async factsOf({ postgres }) {
      const { version, settings } = await requireDurability(postgres.adminUrl);
      return { ...machineFacts(loadBefore, version), 'seconds a run': seconds, ...settings };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function onProgress(line: string): void {
  console.error(line);
}

/** The facts in one line. */
export const describe = (facts: Facts): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ');

/** Shows what was to be reached, and writes all that was measured. Where something was not, the process is to say so at its end. */
export async function conclude(
  json: string,
  { facts, verdicts, results }: { facts: Facts; verdicts: readonly Verdict[]; results: unknown },
): Promise<void> {
  console.log(verdictTable(verdicts));
  await mkdir(dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify({ date: new Date(), facts, verdicts, results }, null, 2)}\n`);
  console.log(`\nAll numbers: ${json}`);
  if (!verdicts.every(({ isMet }) => isMet)) process.exitCode = 1;
}

/** Runs a bench: Ctrl-C ends what runs, in order, and leaves nothing behind. */
export async function run(bench: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  await bench(interruption.signal).catch((error: Error) => {
    console.error(error.name === 'AbortError' ? 'Broken off.' : `${error.stack}`);
    process.exitCode = 1;
  });
}
