import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeArguments } from '@touchstone/local-stack';
import type { Server } from './measure.ts';

const file = fileURLToPath(new URL('./null-rpc.ts', import.meta.url));

/** Starts the null RPC as a process of its own, under this Node, with the arguments that services are run with. */
export async function startNullServer(): Promise<Server & AsyncDisposable> {
  const child = spawn(process.execPath, [...nodeArguments, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(child.stdout, 'data'), ended]);
  const port = Number(String(line));
  if (child.pid === undefined || !port) throw new Error(`the null RPC did not start: ${line}`);
  return {
    address: `127.0.0.1:${port}`,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
