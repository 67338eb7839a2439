import { IssuerService, IssueTokenRequestSchema, RegistryService } from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { WrongAnswer } from '../checks.ts';
import { encode, issueRequest, serverOf, single } from '../loads.ts';
import { type Bench, type Load, measure, median } from '../measure.ts';

/** IssueToken under a large policy next to a small one. */
export interface IssuedUnderRules {
  /** Calls a second. */
  readonly single: number;
  readonly thousand: number;
  readonly ratio: number;
}

/** More calls a second than any load here comes to. */
const rateMax = 12_000;
const rulesCount = 1_000;

/** Measures both by turns, so often. @throws WrongAnswer */
export async function issueUnderRules(bench: Bench, stack: Stack, rounds: number): Promise<IssuedUnderRules> {
  const { services, demo } = stack;
  const registry = clientOf(RegistryService, services.issuer.grpc, demo.operatorToken);
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const request = issueRequest(demo, 0);
  const scopes = { names: [...demo.scopes] };
  const rules = {
    single: [{ ruleId: 'ours', scopes }],
    // One in ten is about it.
    thousand: Array.from({ length: rulesCount }, (_, i) => ({
      ruleId: `r${i}`,
      audiences: i % 10 === 0 ? [] : [`https://api-${i}.example.com`],
      scopes,
      tokenTtlMax: { seconds: 3_600n },
    })),
  };

  async function measureUnder(name: keyof typeof rules, seconds: number): Promise<number> {
    const { policy } = await registry.getPolicy({ tenantId: demo.tenantId });
    const next = { tenantId: demo.tenantId, version: policy?.version ?? 0, rules: rules[name] };
    await registry.updatePolicy({ policy: next });
    const issued = await issuer.issueToken(request);
    if (issued.scopes.join() !== demo.scopes.join())
      throw new WrongAnswer('a token has other scopes than were asked for');
    const load: Load = {
      ...single,
      server: serverOf(services.issuer),
      credential: demo.identityToken,
      call: 'touchstone.v1.IssuerService/IssueToken',
      requests: () => [encode(IssueTokenRequestSchema, request)],
    };
    return (await measure(bench, load, { rate: null, rateMax, seconds })).callsPerSecond;
  }

  const pairs: { readonly single: number; readonly thousand: number }[] = [];
  // The first round is to warm up.
  for (let round = 0; round <= rounds; round++) {
    bench.onProgress(round === 0 ? 'Warming up ...' : `Round ${round} ...`);
    const seconds = round === 0 ? 1 : bench.seconds;
    const pair = { single: await measureUnder('single', seconds), thousand: await measureUnder('thousand', seconds) };
    if (round > 0) pairs.push(pair);
  }
  return {
    single: median(pairs.map(({ single }) => single)),
    thousand: median(pairs.map(({ thousand }) => thousand)),
    ratio: median(pairs.map(({ single, thousand }) => thousand / single)),
  };
}
