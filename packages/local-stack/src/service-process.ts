import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openServerLog } from './server-log.ts';
import { type ServerProcess, startServerProcess, untilReady } from './server-process.ts';

export type ServiceName = 'issuer' | 'validator' | 'revocation';

const servicesFolder = fileURLToPath(new URL('../../../services', import.meta.url));
const readyTimeoutMs = 60_000;

export interface ServiceOptions {
  readonly name: ServiceName;
  /** Tells several of one service apart in messages and names of log files. */
  readonly label: string;
  /** The folder of its log. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Breaks off the start. */
  readonly signal?: AbortSignal | undefined;
}

/** A service that runs as a process of its own, from its sources. */
export interface ServiceProcess extends AsyncDisposable {
  readonly name: ServiceName;
  /** `host:port` of its gRPC port. */
  readonly grpc: string;
  /** URL of its HTTP port. */
  readonly http: string;
  readonly pid: number;
  /** Where its log is. */
  readonly logFile: string;
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
  /** Resolves once it is ready. @throws ServerFailed */
  untilReady(): Promise<void>;
  /** Sends it a signal, as fault tests do. */
  signal(signal: NodeJS.Signals): void;
  /** Stops it in order, and by force when that takes too long. */
  stop(): Promise<void>;
  /** Crashes it; resolves when it is dead. */
  kill(): Promise<void>;
}

/** A nursery that is large from the beginning, and an old space that may grow: decision 31. */
export const nodeArguments = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--no-memory-reducer'] as const;

/** Starts a service; it may not be ready yet, and does not outlive this process. */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const { name, label, folder, environment, grpcPort, httpPort, signal } = options;
  const http = `http://127.0.0.1:${httpPort}`;
  const prefix = name.toUpperCase();
  const command = {
    name: `The ${label} service`,
    file: process.execPath,
    args: [...nodeArguments, join(servicesFolder, name, 'src', 'main.ts')],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      [`${prefix}_GRPC_PORT`]: String(grpcPort),
      [`${prefix}_HTTP_PORT`]: String(httpPort),
      ...environment,
    },
    log: await openServerLog(join(folder, label), label),
    signals: { ask: 'SIGTERM', force: 'SIGKILL' },
    signal,
  } as const;
  const server = await startServerProcess(command);
  return {
    name,
    grpc: `127.0.0.1:${grpcPort}`,
    http,
    pid: server.pid,
    logFile: command.log.file,
    exited: server.exited,
    untilReady: () => untilReady(command, server, () => answersReady(http), readyTimeoutMs),
    signal: (signal) => void process.kill(server.pid, signal),
    stop: () => stop(server),
    kill: server.kill,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** One that a test has suspended must be woken up to hear that it is to stop. */
async function stop(server: ServerProcess): Promise<void> {
  try {
    process.kill(server.pid, 'SIGCONT');
  } catch {
    // It has ended already.
  }
  await server.stop();
}

async function answersReady(http: string): Promise<boolean> {
  try {
    return (await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
