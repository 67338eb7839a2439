import { nullLoad, type Shape } from './loads.ts';
import { type Bench, type Load, measure, median, medianCpu, type Run } from './measure.ts';

/** A load, and how it is compared with the null RPC. */
export interface Comparison {
  readonly name: string;
  readonly load: Load;
  readonly tokensPerCall: number;
  /** How the null RPC is called; absent: each caller on a connection of its own. */
  readonly nullShape?: Shape;
  /** How often each of the two is measured, by turns. */
  readonly rounds: number;
}

/** The null RPC and the load right after it, each at saturation and at 70% of its own. */
export interface Round {
  readonly nullSaturated: Run;
  readonly saturated: Run;
  readonly nullAt70: Run;
  readonly at70: Run;
}

/** Medians over the rounds. */
export interface Compared {
  readonly name: string;
  readonly callsPerSecond: number;
  readonly tokensPerSecond: number;
  readonly nullCallsPerSecond: number;
  /** Of the throughputs in one round. */
  readonly ratio: number;
  /** Milliseconds at 70% of the throughput. */
  readonly p50: number;
  readonly p99: number;
  readonly nullP99: number;
  /** Of the p99 in one round. */
  readonly p99Ratio: number;
  /** How much of the 70% was carried, and of the null RPC's own: clearly below 1 the latencies are those of an overload. */
  readonly carried: number;
  readonly nullCarried: number;
  /** Microseconds of CPU a call at saturation. */
  readonly cpu: Run['cpu'];
  readonly rounds: readonly Round[];
}

const part = 0.7;
/** Seconds in which the server compiles what it runs often. */
const warmUpSeconds = 3;
/** How much faster than ever the next run may be. */
const margin = 2;

/** Measures the load against the null RPC, by turns: machines are noisy, and what is near in time is alike. */
export async function compare(
  bench: Bench,
  { name, load, tokensPerCall, nullShape, rounds }: Comparison,
): Promise<Compared> {
  bench.onProgress(`${name} ...`);
  const yardstick = nullLoad(bench.nullRpc, nullShape);
  const limit = await measure(bench, yardstick, { rate: null, rateMax: 1, seconds: 1 });
  let rateMax = margin * limit.callsPerSecond;
  const warm = await measure(bench, load, { rate: null, rateMax, seconds: warmUpSeconds });
  rateMax = Math.min(rateMax, margin * warm.callsPerSecond);
  const done: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await measureRound(bench, yardstick, load, rateMax);
    // What runs for longer has been compiled better.
    rateMax = Math.max(rateMax, margin * measured.saturated.callsPerSecond);
    done.push(measured);
  }
  return summarise(name, tokensPerCall, done);
}

async function measureRound(bench: Bench, yardstick: Load, load: Load, rateMax: number): Promise<Round> {
  const run = (one: Load, rate: number | null) => measure(bench, one, { rate, rateMax, seconds: bench.seconds });
  const nullSaturated = await run(yardstick, null);
  const saturated = await run(load, null);
  const nullAt70 = await run(yardstick, part * nullSaturated.callsPerSecond);
  const at70 = await run(load, part * saturated.callsPerSecond);
  return { nullSaturated, saturated, nullAt70, at70 };
}

function summarise(name: string, tokensPerCall: number, rounds: readonly Round[]): Compared {
  const of = (what: (round: Round) => number) => median(rounds.map(what));
  const callsPerSecond = of(({ saturated }) => saturated.callsPerSecond);
  return {
    name,
    callsPerSecond,
    tokensPerSecond: callsPerSecond * tokensPerCall,
    nullCallsPerSecond: of(({ nullSaturated }) => nullSaturated.callsPerSecond),
    ratio: of(({ saturated, nullSaturated }) => saturated.callsPerSecond / nullSaturated.callsPerSecond),
    p50: of(({ at70 }) => at70.p50),
    p99: of(({ at70 }) => at70.p99),
    nullP99: of(({ nullAt70 }) => nullAt70.p99),
    p99Ratio: of(({ at70, nullAt70 }) => at70.p99 / nullAt70.p99),
    carried: of(({ at70, saturated }) => at70.callsPerSecond / (part * saturated.callsPerSecond)),
    nullCarried: of(({ nullAt70, nullSaturated }) => nullAt70.callsPerSecond / (part * nullSaturated.callsPerSecond)),
    cpu: medianCpu(rounds.map(({ saturated }) => saturated)),
    rounds,
  };
}
