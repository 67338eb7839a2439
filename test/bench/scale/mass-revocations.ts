import { RevocationService } from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { nullLoad } from '../loads.ts';
import { type Bench, type Load, measure, median } from '../measure.ts';
import { revokeRequest } from '../revoke-all.ts';

/** What a load's callers feel of mass revocations. */
export interface Disturbed {
  readonly by: string;
  readonly revocations: number;
  /** Milliseconds, at 70% of saturation; medians over the rounds. */
  readonly quietP99: number;
  readonly p99: number;
  /** Of those of one round. */
  readonly ratio: number;
}

const rounds = 5;
const part = 0.7;
const everyMilliseconds = 1_000;

/**
 * Measures a load in quiet, while all tokens of an app that it has none of are revoked each second, and while all there
 * are are: the answers are refusals then.
 *
 * @param openLoad with tokens that are alive: of each round its own.
 */
export async function measureDisturbed(
  bench: Bench,
  stack: Stack,
  appId: string,
  openLoad: () => Promise<Load>,
): Promise<Disturbed[]> {
  const limit = await measure(bench, nullLoad(bench.nullRpc), { rate: null, rateMax: 1, seconds: 1 });
  const { seconds } = bench;
  const rateMax = limit.callsPerSecond;
  const quiet: number[] = [];
  const byApp = disturbanceOf('RevokeTokens(app)', { case: 'app', value: { appId } });
  const byAll = disturbanceOf('RevokeTokens(all)', { case: 'all', value: {} });
  for (let round = 0; round < rounds; round++) {
    const load = await openLoad();
    bench.onProgress('ValidateToken during RevokeTokens ...');
    const saturated = await measure(bench, load, { rate: null, rateMax, seconds });
    const pace = { rate: part * saturated.callsPerSecond, rateMax, seconds };
    quiet.push((await measure(bench, load, pace)).p99);
    for (const disturbance of [byApp, byAll]) {
      await using revoking = revokeEachSecond(stack, disturbance.target);
      disturbance.p99s.push((await measure(bench, load, pace)).p99);
      disturbance.revocations += revoking.count;
    }
  }
  return [byApp, byAll].map(({ by, revocations, p99s }) => ({
    by,
    revocations,
    quietP99: median(quiet),
    p99: median(p99s),
    ratio: median(p99s.map((p99, round) => p99 / (quiet[round] ?? Number.NaN))),
  }));
}

type Target = Parameters<typeof revokeRequest>[0];

const disturbanceOf = (by: string, target: Target) => ({ by, target, revocations: 0, p99s: [] as number[] });

function revokeEachSecond({ services, demo }: Stack, target: Target): { readonly count: number } & AsyncDisposable {
  const client = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  const made: Promise<unknown>[] = [];
  const revoke = () => {
    const revoked = client.revokeTokens(revokeRequest(target));
    // One that fails, fails the bench at the end of the round.
    revoked.catch(() => {});
    made.push(revoked);
  };
  const timer = setInterval(revoke, everyMilliseconds);
  return {
    get count() {
      return made.length;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all(made);
    },
  };
}
