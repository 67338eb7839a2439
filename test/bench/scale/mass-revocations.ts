import { RevocationService } from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { nullLoad } from '../loads.ts';
import { type Bench, type Load, measure, median } from '../measure.ts';
import { revokeRequest } from '../revoke-all.ts';

/** What a load's callers feel of mass revocations. */
export interface Disturbed {
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

/** Measures the load in quiet and while all tokens of an app are revoked each second, by turns. */
export async function measureDisturbed(bench: Bench, stack: Stack, load: Load, appId: string): Promise<Disturbed> {
  bench.onProgress('ValidateToken during RevokeTokens ...');
  const { seconds } = bench;
  const limit = await measure(bench, nullLoad(bench.nullRpc), { rate: null, rateMax: 1, seconds: 1 });
  const rateMax = limit.callsPerSecond;
  const saturated = await measure(bench, load, { rate: null, rateMax, seconds });
  const pace = { rate: part * saturated.callsPerSecond, rateMax, seconds };
  const quiet: number[] = [];
  const disturbed: number[] = [];
  let revocations = 0;
  for (let round = 0; round < rounds; round++) {
    quiet.push((await measure(bench, load, pace)).p99);
    await using revoking = revokeEachSecond(stack, appId);
    disturbed.push((await measure(bench, load, pace)).p99);
    revocations += revoking.count;
  }
  return {
    revocations,
    quietP99: median(quiet),
    p99: median(disturbed),
    ratio: median(disturbed.map((p99, round) => p99 / (quiet[round] ?? Number.NaN))),
  };
}

function revokeEachSecond({ services, demo }: Stack, appId: string): { readonly count: number } & AsyncDisposable {
  const client = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  const made: Promise<unknown>[] = [];
  const revoke = () => {
    const revoked = client.revokeTokens(revokeRequest({ case: 'app', value: { appId } }));
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
