import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { untilTrue } from './until.ts';

/** A run of the touchstone command. */
export interface Command {
  readonly exited: Promise<number | null>;
  /** All that it has said. */
  output(): string;
  untilSaid(text: string): Promise<void>;
  kill(): Promise<void>;
}

/** Runs the touchstone command, as an operator does. */
export function touchstone(args: readonly string[], environment: Readonly<Record<string, string>>): Command {
  const main = fileURLToPath(import.meta.resolve('../../packages/cli/src/main.ts'));
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [main, ...args], { env: { PATH, NODE_COMPILE_CACHE, ...environment } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  return {
    exited,
    output: () => output,
    untilSaid: (text) => untilTrue(`touchstone says "${text}"`, () => output.includes(text)),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
