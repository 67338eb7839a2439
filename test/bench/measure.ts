import { type Credential, type GhzCall, runGhz } from './ghz.ts';
import { cpuMilliseconds, cpuMillisecondsOfTree } from './usage.ts';

/** A gRPC server under load. */
export interface Server {
  /** `host:port`. */
  readonly address: string;
  readonly pid: number;
}

/** What all measurements need. */
export interface Bench {
  readonly ghz: string;
  /** Holds what is given to ghz, in files that only their owner can read. */
  readonly folder: string;
  readonly protosetFile: string;
  readonly nullRpc: Server;
  readonly postgresPid: number;
  /** How long each run is measured, after a second that isn't. */
  readonly seconds: number;
  /** Aborted when the bench is to end early. */
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** Calls of one kind. */
export interface Load {
  /** `package.Service/Method`. */
  readonly call: string;
  readonly server: Server;
  readonly credential: Credential;
  readonly concurrency: number;
  readonly connections: number;
  /** Makes up to so many requests, each with its size before it. What there are is sent in turn. */
  readonly requests: (countMax: number) => Uint8Array[];
  /** No request may be sent twice: the second time it costs less. */
  readonly isOnce?: boolean;
  /** Goes on at the same time, at so many calls a second. */
  readonly beside?: { readonly load: Load; readonly rate: number };
  /** Is told how many of the requests were sent, from the first on. */
  readonly onSent?: (count: number) => void;
}

/** What one run of ghz showed. */
export interface Run {
  readonly callsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU a call, of the server, of Postgres and of ghz. */
  readonly cpu: Readonly<Record<Consumer, number>>;
}

/** How much load there is to be, and for how long. */
export interface Pace {
  /** Calls a second; null: as many as it takes. */
  readonly rate: number | null;
  /** Calls a second that it surely won't exceed. */
  readonly rateMax: number;
  readonly seconds: number;
}

/** What was to go on beside it did not keep its rate. */
export class NotBeside extends Error {
  override readonly name = 'NotBeside';

  constructor(call: string, wanted: number, made: number) {
    super(`${call} was to go on beside it ${Math.round(wanted)} times a second, and did ${Math.round(made)} times`);
  }
}

/** There were fewer records than calls. */
export class RequestsSpent extends Error {
  override readonly name = 'RequestsSpent';

  constructor(call: string) {
    super(`there are too few records for ${call}: raise --records or lower --seconds`);
  }
}

type Consumer = 'server' | 'postgres' | 'ghz';

/** Milliseconds of CPU so far. */
interface Sample extends Readonly<Record<Consumer, number>> {
  readonly at: number;
}

/** The share of its rate that what goes on beside has to reach. */
const besideMin = 0.9;
const warmUpMilliseconds = 1_000;
const sampleMilliseconds = 250;

/** Runs the load once; every call must succeed. */
export async function measure(bench: Bench, load: Load, { rate, rateMax, seconds }: Pace): Promise<Run> {
  const runSeconds = warmUpMilliseconds / 1_000 + seconds + 0.1;
  const end = { seconds: runSeconds };
  const requests = load.requests(Math.ceil((rate ?? rateMax) * runSeconds) + load.concurrency);
  if (requests.length === 0) throw new RequestsSpent(load.call);

  let ghzPid = 0;
  using sampler = sampleCpu(() => ({
    server: cpuMilliseconds(load.server.pid),
    postgres: cpuMillisecondsOfTree(bench.postgresPid),
    ghz: cpuMilliseconds(ghzPid),
  }));
  const onStart = (pid: number) => {
    ghzPid = pid;
  };
  const [calls] = await Promise.all([
    runGhz(bench, { ...load, address: load.server.address, requests, rate, end }, onStart),
    goOnBeside(bench, load.beside, end),
  ]);
  if (load.isOnce && calls.length > requests.length) throw new RequestsSpent(load.call);
  load.onSent?.(calls.length);
  return summarise(calls, sampler.samples, seconds);
}

async function goOnBeside(bench: Bench, beside: Load['beside'], end: { readonly seconds: number }): Promise<void> {
  if (!beside) return;
  const { load, rate } = beside;
  const requests = load.requests(Math.ceil(rate * end.seconds) + load.concurrency);
  const calls = await runGhz(bench, { ...load, address: load.server.address, requests, rate, end });
  const made = calls.length / end.seconds;
  if (made < besideMin * rate) throw new NotBeside(load.call, rate, made);
}

function sampleCpu(read: () => Readonly<Record<Consumer, number>>): { samples: Sample[] } & Disposable {
  const samples: Sample[] = [];
  const timer = setInterval(() => samples.push({ at: Date.now(), ...read() }), sampleMilliseconds);
  return { samples, [Symbol.dispose]: () => clearInterval(timer) };
}

function summarise(calls: readonly GhzCall[], samples: readonly Sample[], seconds: number): Run {
  const first = calls[0]?.endedAt ?? 0;
  const from = first + warmUpMilliseconds;
  const to = from + seconds * 1_000;
  const measured = endedBetween(calls, from, to);
  const milliseconds = measured.map((call) => call.milliseconds).sort((a, b) => a - b);
  return {
    callsPerSecond: measured.length / seconds,
    p50: percentile(milliseconds, 0.5),
    p99: percentile(milliseconds, 0.99),
    cpu: cpuOfEach(
      calls,
      samples.filter(({ at }) => at >= from && at < to),
    ),
  };
}

function cpuOfEach(calls: readonly GhzCall[], samples: readonly Sample[]): Run['cpu'] {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (!first || !last) return { server: 0, postgres: 0, ghz: 0 };
  const count = endedBetween(calls, first.at, last.at).length;
  const each = (consumer: Consumer) => (1_000 * (last[consumer] - first[consumer])) / count;
  return { server: each('server'), postgres: each('postgres'), ghz: each('ghz') };
}

const endedBetween = (calls: readonly GhzCall[], from: number, to: number): GhzCall[] =>
  calls.filter(({ endedAt }) => endedAt >= from && endedAt < to);

/** Of numbers in ascending order. */
export const percentile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

/** The middle one; of an even number, the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2;
}

/** Of each consumer the median over the runs. */
export function medianCpu(runs: readonly Run[]): Run['cpu'] {
  const of = (consumer: Consumer) => median(runs.map(({ cpu }) => cpu[consumer]));
  return { server: of('server'), postgres: of('postgres'), ghz: of('ghz') };
}
