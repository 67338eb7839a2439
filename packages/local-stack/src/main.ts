/** `npm start`: a whole Touchstone on this machine. */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { StackFailed } from './errors.ts';
import { type Flags, run } from './run.ts';

const usualFolder = fileURLToPath(new URL('../../../.touchstone', import.meta.url));

/** Given by Ctrl-C and its like, however often, and when the process that started this one is gone. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.on(event, () => stop.abort());
  process.channel?.unref();
  return stop.signal;
}

async function main(flags: Flags): Promise<void> {
  const signal = stopSignal();
  try {
    await run(flags, signal);
  } catch (error) {
    process.exitCode = 1;
    if (signal.aborted) return console.error('\nStopped before it was up.');
    const what = error instanceof StackFailed ? 'stopped' : 'did not start';
    console.error(`\nTouchstone ${what}: ${error instanceof Error ? error.message : error}`);
    if (error instanceof Error && error.cause instanceof Error) console.error(`  ${error.cause.message}`);
  }
}

await new Command('npm start --')
  .description('Starts PostgreSQL and the three services on this machine, and shows what they do.')
  .option('--kafka', 'start a real local Kafka too (needs Java 17 and, once, Maven)', false)
  .option('--fresh', 'start over: remove what earlier runs have stored', false)
  .option('--ephemeral', 'free ports and a temporary folder, removed at the end', false)
  .option('--folder <path>', 'keep data and credentials in this folder', usualFolder)
  .action(main)
  .parseAsync();
