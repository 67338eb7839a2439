import type { Compared } from './compare.ts';
import type { RevokedAll } from './revoke-all.ts';

/** Something that is to be reached, and whether it was. */
export interface Verdict {
  readonly target: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** All that the bench measures. */
export interface Results {
  /** MiB of each service right after the start; null where that can't be read. */
  readonly idleMebibytes: Readonly<Record<string, number | null>>;
  readonly health: Compared;
  readonly validate: Compared;
  /** Its callers share connections. */
  readonly validateShared: Compared;
  readonly validateBatch: Compared;
  /** Answers that may be stale, of tokens that are remembered. */
  readonly validateCached: Compared;
  readonly validateCachedBatch: Compared;
  readonly issue: Compared;
  readonly issueBatch: Compared;
  readonly revoke: Compared;
  /** Its callers are 64, and share connections. */
  readonly revokeFew: Compared;
  readonly revokeAllFew: RevokedAll;
  readonly revokeAllMany: RevokedAll;
}

/** What this is to reach, and what it did. */
export function judge(results: Results): Verdict[] {
  const { health, validate, validateBatch, validateCached, validateCachedBatch, issue } = results;
  const { revokeFew, revokeAllFew, revokeAllMany } = results;
  return [
    atLeast('health check / null RPC, calls a second', health.ratio, 0.9),
    atLeast('ValidateToken / null RPC, calls a second', validate.ratio, 0.5),
    atMost('ValidateToken / null RPC, p99 at 70%', p99RatioOf(validate), 2.5),
    atLeast(
      'BatchValidateTokens / ValidateToken, tokens a second',
      tokensPerNull(validateBatch) / tokensPerNull(validate),
      5,
    ),
    atLeast('ValidateToken from cache / null RPC, calls a second', validateCached.ratio, 0.75),
    atLeast('BatchValidateTokens from cache, tokens a second of CPU', tokensOfCpuSecond(validateCachedBatch), 100_000),
    atLeast('IssueToken / null RPC, calls a second', issue.ratio, 0.4),
    atLeast('RevokeToken of 64 callers, calls a second', revokeFew.callsPerSecond, 5_000),
    atMost('RevokeTokens(all), many records / few, median', revokeAllMany.median / revokeAllFew.median, 1.5),
    ...Object.entries(results.idleMebibytes).map(([name, mebibytes]) => atMost(`${name} idle, MiB`, mebibytes, 150)),
  ];
}

const carriedMin = 0.95;

/** Null where either was an overload. */
const p99RatioOf = ({ p99Ratio, carried, nullCarried }: Compared): number | null =>
  Math.min(carried, nullCarried) >= carriedMin ? p99Ratio : null;

/** Tokens a call of the null RPC that was measured next to it: what compares loads that were measured minutes apart. */
const tokensPerNull = (compared: Compared): number => compared.ratio * tokensPerCall(compared);

const tokensPerCall = ({ tokensPerSecond, callsPerSecond }: Compared): number => tokensPerSecond / callsPerSecond;

/** What one core carries. On a machine of two the load itself takes the other one, and more: the calls a second are ghz's. */
const tokensOfCpuSecond = (compared: Compared): number => (1_000_000 * tokensPerCall(compared)) / compared.cpu.server;

export const atLeast = (what: string, measured: number, limit: number): Verdict => ({
  target: `${what} >= ${limit}`,
  measured: measured.toFixed(2),
  isMet: measured >= limit,
});

export const atMost = (what: string, measured: number | null, limit: number): Verdict => ({
  target: `${what} <= ${limit}`,
  measured: measured === null ? 'not measured' : measured.toFixed(measured < 100 ? 2 : 0),
  isMet: measured !== null && measured <= limit,
});
