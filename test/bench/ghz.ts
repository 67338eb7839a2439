import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

/** The version that is built. */
export const ghzVersion = 'v0.121.0';

/** The load cannot be made. The message says what to do. */
export class GhzUnavailable extends Error {
  override readonly name = 'GhzUnavailable';
}

/** Builds ghz, where that has not been done, and returns its path. @throws GhzUnavailable */
export async function installGhz(root: string, onProgress: (line: string) => void): Promise<string> {
  const folder = join(root, '.cache', 'bin', `ghz-${ghzVersion}`);
  const file = join(folder, process.platform === 'win32' ? 'ghz.exe' : 'ghz');
  if (await isThere(file)) return file;
  onProgress(`Building ghz ${ghzVersion} (once) ...`);
  await mkdir(folder, { recursive: true });
  try {
    await promisify(execFile)('go', ['install', `github.com/bojand/ghz/cmd/ghz@${ghzVersion}`], {
      env: { ...process.env, GOBIN: folder },
    });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    const why = code === 'ENOENT' ? 'there is no go on the PATH (install Go 1.23 or later)' : String(stderr);
    throw new GhzUnavailable(`The load comes from ghz, which is built through Go, and ${why}`);
  }
  return file;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** What callers authenticate by: one for all calls, or several that take turns as the requests do; null: by nothing. */
export type Credential = string | readonly string[] | null;

/** What ghz is to send. */
export interface GhzRun {
  /** `host:port`. */
  readonly address: string;
  /** `package.Service/Method`. */
  readonly call: string;
  /** Each with its size before it, taken in turn from the first on. */
  readonly requests: readonly Uint8Array[];
  readonly credential: Credential;
  readonly concurrency: number;
  readonly connections: number;
  /** Calls a second; null: as many as it takes. */
  readonly rate: number | null;
  /** Ends it: after so many calls, or so many seconds. */
  readonly end: { readonly calls: number } | { readonly seconds: number };
}

/** A call that was made. */
export interface GhzCall {
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  readonly milliseconds: number;
}

interface Report {
  readonly details: readonly { readonly timestamp: string; readonly latency: number }[];
  readonly errorDistribution: Readonly<Record<string, number>>;
}

/** Each of its workers may complain of the same thing. */
const complaintMax = 500;

/** What runs ghz. */
export interface GhzHome {
  /** The program. */
  readonly ghz: string;
  /** Where what it is given is written. */
  readonly folder: string;
  /** What it knows of the services. */
  readonly protosetFile: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/**
 * Runs ghz and returns all calls, in about the order of their ends; one that failed fails the run. What it is given
 * stands in files that only their owner can read: other users can read arguments.
 */
export async function runGhz(home: GhzHome, run: GhzRun, onStart?: (pid: number) => void): Promise<GhzCall[]> {
  const folder = await mkdtemp(join(home.folder, 'ghz-'));
  const configFile = join(folder, 'ghz.json');
  const requestsFile = join(folder, 'requests.bin');
  const config = { ...configOf(run), protoset: home.protosetFile, 'binary-file': requestsFile };
  await writeFile(configFile, JSON.stringify(config), { mode: 0o600 });
  await writeFile(requestsFile, Buffer.concat(run.requests), { mode: 0o600 });
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const child = spawn(home.ghz, ['--config', configFile], {
    env: { ...process.env, ...uncollected, ...environmentOf(run) },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: home.signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (child.pid !== undefined) onStart?.(child.pid);
  const [output, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`ghz failed on ${run.call}: ${complaint.slice(0, complaintMax)}`);
  const { details, errorDistribution }: Report = JSON.parse(output);
  const errors = Object.keys(errorDistribution);
  if (errors.length > 0) throw new Error(`${run.call} failed: ${errors.slice(0, 3).join('; ')}`);
  return details.map(({ timestamp, latency }) => ({ endedAt: Date.parse(timestamp), milliseconds: latency / 1e6 }));
}

/** Requests made ahead are a heap that Go would go through again and again: it lets garbage be, up to so much memory. */
const uncollected = { GOGC: 'off', GOMEMLIMIT: '2GiB' };

/** Several credentials are variables of the environment, which only its owner can read: a template can look them up. */
const environmentOf = ({ credential }: GhzRun): Record<string, string> =>
  Array.isArray(credential) ? Object.fromEntries(credential.map((one, at) => [`C${at}`, one])) : {};

const bearerOf = (credential: NonNullable<Credential>): string =>
  typeof credential === 'string' ? credential : `{{env (printf \`C%d\` (mod .RequestNumber ${credential.length}))}}`;

const configOf = ({ end, ...run }: GhzRun): Record<string, unknown> => ({
  insecure: true,
  host: run.address,
  call: run.call,
  ...(run.credential === null ? {} : { metadata: { authorization: `Bearer ${bearerOf(run.credential)}` } }),
  concurrency: run.concurrency,
  connections: run.connections,
  ...(run.rate === null ? {} : { rps: Math.max(1, Math.round(run.rate)) }),
  ...('calls' in end ? { total: end.calls } : { duration: `${Math.round(end.seconds * 1_000)}ms` }),
  // What is under way when the time is over is waited for and counted.
  'duration-stop': 'wait',
  // What is worked out anew for each call costs ghz time.
  'disable-template-data': !Array.isArray(run.credential),
  'disable-template-functions': !Array.isArray(run.credential),
  format: 'json',
});
