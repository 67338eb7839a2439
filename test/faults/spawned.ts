import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePair, type ServiceName, type ServicePorts, type Stack } from '@touchstone/local-stack';
import { page } from './services.ts';
import { untilTrue } from './until.ts';

/** A service as whoever starts it by hand sees it: its output and its exit code. */
export interface Spawned extends AsyncDisposable {
  readonly name: ServiceName;
  readonly grpc: string;
  readonly http: string;
  readonly pid: number;
  /** The exit code; null where a signal ended it. */
  readonly exited: Promise<number | null>;
  /** All that it has said. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  untilReady(): Promise<void>;
}

export interface SpawnOptions {
  readonly ports?: ServicePorts;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts one more of a service, on the stack's database. */
export async function spawnService(
  stack: Pick<Stack, 'databaseUrls' | 'masterKeyFile'>,
  name: ServiceName,
  { ports, environment = {} }: SpawnOptions = {},
): Promise<Spawned> {
  const [grpcPort, httpPort] = ports ?? (await freePair());
  const prefix = name.toUpperCase();
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(`../../services/${name}/src/main.ts`))], {
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      [`${prefix}_GRPC_PORT`]: String(grpcPort),
      [`${prefix}_HTTP_PORT`]: String(httpPort),
      DATABASE_URL: stack.databaseUrls[name],
      ...(name === 'revocation' ? { UPKEEP_DATABASE_URL: stack.databaseUrls.upkeep } : {}),
      MASTER_KEY_FILE: stack.masterKeyFile,
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const http = `http://127.0.0.1:${httpPort}`;
  return {
    name,
    grpc: `127.0.0.1:${grpcPort}`,
    http,
    pid: child.pid as number,
    exited,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    untilReady: () =>
      untilTrue(`${name} is ready`, () =>
        page({ http }, '/readyz').then(
          ({ status }) => status === 200,
          () => false,
        ),
      ),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
