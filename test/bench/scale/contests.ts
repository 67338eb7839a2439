import { nullLoad } from '../loads.ts';
import { type Bench, type Load, measure, median, medianCpu, type Run } from '../measure.ts';

/** How quickly the same call is answered for one crowd and for another. */
export interface Contested {
  readonly call: string;
  readonly crowd: string;
  /** At saturation; medians over the rounds. */
  readonly callsPerSecond: number;
  readonly p99: number;
  /** Microseconds of CPU a call. */
  readonly cpu: Run['cpu'];
  /** Of the first crowd's throughput to this one's, in one round. */
  readonly slower: number;
}

const rounds = 5;
const warmUpSeconds = 1;
/** How much faster than the warm-up a run may be. */
const margin = 3;

/** Measures the call for all crowds, by turns; the first is what the others are compared with. */
export async function contest(
  bench: Bench,
  call: string,
  loads: readonly (readonly [crowd: string, load: Load])[],
): Promise<Contested[]> {
  bench.onProgress(`${call}, ${loads.map(([crowd]) => crowd).join(' and ')} ...`);
  const limit = await measure(bench, nullLoad(bench.nullRpc), { rate: null, rateMax: 1, seconds: 1 });
  let rateMax = limit.callsPerSecond;
  let fastest = 0;
  for (const [, load] of loads) {
    const warm = await measure(bench, load, { rate: null, rateMax, seconds: warmUpSeconds });
    fastest = Math.max(fastest, warm.callsPerSecond);
  }
  rateMax = Math.min(rateMax, margin * fastest);
  const runs = loads.map((): Run[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, [, load]] of loads.entries()) {
      runs[at]?.push(await measure(bench, load, { rate: null, rateMax, seconds: bench.seconds }));
    }
  }
  return loads.map(([crowd], at) => {
    const own = runs[at] ?? [];
    const callsPerSecond = own.map((run) => run.callsPerSecond);
    return {
      call,
      crowd,
      callsPerSecond: median(callsPerSecond),
      p99: median(own.map((run) => run.p99)),
      cpu: medianCpu(own),
      slower: median(callsPerSecond.map((one, round) => (runs[0]?.[round]?.callsPerSecond ?? Number.NaN) / one)),
    };
  });
}
