import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts, openTemporaryFolder } from '@touchstone/local-stack';
import { until, untilTrue } from '../faults/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A folder and ports that runs of `npm start` keep, one after the other. */
export interface Place extends AsyncDisposable {
  readonly folder: string;
  /** By the variable that sets it. */
  readonly ports: Readonly<Record<string, number>>;
  /** Where temporary folders are made, if not where they usually are. */
  readonly temporary?: string;
}

export async function openPlace(): Promise<Place> {
  const folder = await openTemporaryFolder();
  const ports = await freePorts();
  return {
    folder: folder.path,
    ports: {
      ISSUER_GRPC_PORT: ports.issuer[0],
      ISSUER_HTTP_PORT: ports.issuer[1],
      VALIDATOR_GRPC_PORT: ports.validator[0],
      VALIDATOR_HTTP_PORT: ports.validator[1],
      REVOCATION_GRPC_PORT: ports.revocation[0],
      REVOCATION_HTTP_PORT: ports.revocation[1],
      POSTGRES_PORT: ports.postgres,
      KAFKA_PORT: ports.kafka[0],
      KAFKA_CONTROLLER_PORT: ports.kafka[1],
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** What is in local.json. */
export interface LocalJson
  extends Readonly<Record<'issuer' | 'validator' | 'revocation', { grpc: string; http: string }>> {
  readonly postgres: string;
  readonly kafka: readonly string[] | null;
  readonly operator_token: string;
  readonly identity_token: string;
  readonly app_token: string;
  readonly resource_server_token: string;
  readonly tenant_id: string;
  readonly app_id: string;
  readonly audience: string;
  readonly scopes: readonly string[];
}

export const localJson = async ({ folder }: Place): Promise<LocalJson> =>
  JSON.parse(await readFile(join(folder, 'local.json'), 'utf8'));

interface Process {
  readonly pid: number;
  readonly command: string;
}

/** A run of `npm start`. Disposing of it kills all that it started. */
export interface Run extends AsyncDisposable {
  /** Of npm itself. */
  readonly pid: number;
  readonly exited: Promise<number | null>;
  output(): string;
  /** @param milliseconds until it must have been said. */
  untilSaid(text: string, milliseconds?: number): Promise<void>;
  untilUp(): Promise<void>;
  /** All that it has started and that runs, with itself. */
  processes(): Promise<Process[]>;
  /** Waits until nothing of what `processes` ever told of runs, nor listens on the place's ports. */
  untilNothingIsLeft(): Promise<void>;
}

/** For Postgres, Kafka and three services, on a machine that may be busy with something else. */
const upMilliseconds = 120_000;

/** Runs `npm start` as a person would, in a process group of its own. */
export function npmStart(place: Place, ...args: readonly string[]): Run {
  const ports = Object.entries(place.ports).map(([name, port]) => [name, String(port)]);
  const child = spawn('npm', ['start', '--', '--folder', place.folder, ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...Object.fromEntries(ports),
      ...(place.temporary ? { TMPDIR: place.temporary } : {}),
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const pid = child.pid as number;
  const seen = new Map<number, string>();

  async function processes(): Promise<Process[]> {
    const all = await allProcesses();
    const family = new Set([pid]);
    // Numbers come round: a child's can be lower than its parent's.
    let before: number;
    do {
      before = family.size;
      for (const one of all) if (family.has(one.parent)) family.add(one.pid);
    } while (family.size > before);
    const found = all.filter((one) => family.has(one.pid));
    for (const one of found) seen.set(one.pid, one.command);
    return found;
  }

  async function left(): Promise<string[]> {
    const alive = (await allProcesses()).filter((one) => seen.get(one.pid) === one.command);
    const taken = [];
    for (const [name, port] of Object.entries(place.ports)) if (!(await isFree(port))) taken.push(name);
    return [...alive.map(({ command }) => command), ...taken];
  }

  async function untilSaid(text: string, milliseconds?: number): Promise<void> {
    const isSaid = async () => {
      if (output.includes(text)) return true;
      await processes();
      if (child.exitCode !== null) throw new Error(`it ended with:\n${output}`);
      return undefined;
    };
    await until(`npm start says "${text}"`, isSaid, milliseconds);
  }

  return {
    pid,
    exited,
    output: () => output,
    untilSaid,
    untilUp: () => untilSaid('Ctrl-C stops everything.', upMilliseconds),
    processes,
    untilNothingIsLeft: async () => {
      let remains: string[] = [];
      const isGone = async () => {
        remains = await left();
        return remains.length === 0;
      };
      await untilTrue('nothing is left', isGone, 10_000).catch(() => {
        throw new Error(`still there:\n${remains.join('\n')}`);
      });
    },
    async [Symbol.asyncDispose]() {
      await processes();
      for (const one of seen.keys()) signal(one, 'SIGKILL');
      await exited;
    },
  };
}

/** Ctrl-C: the terminal sends SIGINT to the whole group. */
export const pressCtrlC = (run: Run): void => signal(-run.pid, 'SIGINT');

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

async function allProcesses(): Promise<(Process & { readonly parent: number })[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args='], { maxBuffer: 1e7 });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null && !match[3]?.startsWith('Z'))
    .map((match) => ({ pid: Number(match?.[1]), parent: Number(match?.[2]), command: match?.[4] ?? '' }));
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
