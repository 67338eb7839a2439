import {
  type Configuration,
  type Consistency,
  type Head,
  holds,
  type Invariant,
  infinite,
  type Request,
  type Revocation,
  type State,
  type Validator,
} from './state.ts';

/** How a request was answered. */
export type Decision = 'active' | 'unknown' | 'revoked' | 'expired';

/** The token itself and those that it was derived from. */
export function lineageOf(configuration: Configuration, token: number): number[] {
  const parent = configuration.tokens[token]?.parent ?? null;
  return parent === null ? [token] : [token, ...lineageOf(configuration, parent)];
}

/** Whether the target is one of the token's own. */
export function isTarget(configuration: Configuration, target: string, token: number): boolean {
  return target === 'all' || target === `token ${token}` || isUnder(configuration, token, target);
}

const isUnder = ({ tokens }: Configuration, token: number, target: string): boolean =>
  tokens[token]?.under.includes(target) ?? false;

/** The revocations after which the token is not issued any more. */
export function endsOf(configuration: Configuration, token: number): number[] {
  if (configuration.tokens[token]?.isCredential) return [];
  return [...configuration.revocations.entries()].flatMap(([index, { target, reach }]) =>
    reach === 'forever' && isUnder(configuration, token, target) ? index : [],
  );
}

/** The revisions that change what is shown. */
export const shownOf = ({ revocations }: Configuration): number[] =>
  [...revocations.keys()].filter((index) => revocations[index]?.target === 'shown');

/**
 * Whether the revocation has taken the token back, as callers understand it: nothing here knows of watermarks. One that had
 * been issued when it was called is taken back; of a token that was being issued meanwhile the sequence decides.
 */
export function revokes(configuration: Configuration, state: State, revocation: number, token: number): boolean {
  return state.revocations[revocation]?.phase === 'returned' && takesBack(configuration, state, revocation, token);
}

/** The same of any that is committed. */
function takesBack(configuration: Configuration, state: State, revocation: number, token: number): boolean {
  const { target, reach } = configuration.revocations[revocation] as Configuration['revocations'][number];
  const { ceiling, server, issuedBefore } = state.revocations[revocation] as Revocation;
  return lineageOf(configuration, token).some((one) => {
    if (!isTarget(configuration, target, one)) return false;
    const { phase: fate, sequence, after } = state.tokens[one] as State['tokens'][number];
    if (reach === 'forever') return true;
    // What was lost had been issued before anything that the restored database did.
    if (fate === 'lost') return server > 0;
    return holds(issuedBefore, one) || (sequence <= ceiling && !holds(after, revocation));
  });
}

export const hasExpired = (configuration: Configuration, state: State, token: number): boolean =>
  lineageOf(configuration, token).some((one) => state.now >= (state.tokens[one]?.expiresAt ?? infinite));

/** What is called now, with what it will be wrong to answer. */
export function requestOf(
  configuration: Configuration,
  state: State,
  token: number,
  consistency: Consistency,
  revision: Head,
): Request {
  const counts = (index: number): boolean => {
    if (consistency === 'at_least_revision') return revision.includes(index);
    const { returnedAt } = state.revocations[index] as Revocation;
    return consistency === 'fully_consistent' || returnedAt < state.now - configuration.staleness;
  };
  const isNarrowed = shownOf(configuration).some(
    (index) => state.revocations[index]?.phase === 'returned' && counts(index),
  );
  const isRevoked = state.revocations.some((_, index) => counts(index) && revokes(configuration, state, index, token));
  const complete = state.primary.history.slice(0, state.primary.covered);
  const isRevokedEverywhere = complete.some((index) => revokes(configuration, state, index, token));
  const unlessComplete = hasExpired(configuration, state, token) ? 6 : null;
  const unlessRevoked = isRevokedEverywhere ? 10 : unlessComplete;
  return {
    token,
    consistency,
    revision,
    activeBreaks: isRevoked ? promiseOf[consistency] : unlessRevoked,
    isNarrowed,
    release: null,
    isIssued: state.tokens[token]?.phase === 'issued',
    server: state.primary.server,
  };
}

const promiseOf: Readonly<Record<Consistency, Invariant>> = {
  fully_consistent: 2,
  max_staleness: 3,
  at_least_revision: 4,
};

/**
 * The promise that the answer breaks.
 *
 * @param unshown the revisions that a source has brought since the database was asked.
 */
export function brokenBy(
  configuration: Configuration,
  state: State,
  { side }: Validator,
  request: Request,
  decision: Decision,
  unshown: Head = [],
): Invariant | null {
  // Nothing is promised to whoever called before a restore: what was true then may be lost.
  if (configuration.failover === 'restored' && request.server !== state.primary.server) return null;
  const broken =
    decision === 'active'
      ? brokenByHonouring(request)
      : brokenByRefusal(configuration, state, request, decision, unshown);
  if (side === 'primary') return broken;
  const isContradicted = decision === 'active' && revokedByPromoted(configuration, state, request.token);
  return broken !== null || isContradicted ? 7 : null;
}

const brokenByHonouring = ({ activeBreaks, isNarrowed, release }: Request): Invariant | null =>
  activeBreaks ?? (isNarrowed && !release?.isNarrow ? 8 : null);

const revokedByPromoted = (configuration: Configuration, state: State, token: number): boolean =>
  state.revocations.some(({ server }, index) => server > 0 && revokes(configuration, state, index, token));

function brokenByRefusal(
  configuration: Configuration,
  state: State,
  request: Request,
  decision: Decision,
  unshown: Head,
): Invariant | null {
  const { token, isIssued, consistency } = request;
  const { phase, after } = state.tokens[token] as State['tokens'][number];
  if (!isIssued || phase !== 'issued' || hasExpired(configuration, state, token)) return null;
  // From the cache it may be refused too early, by as long as the latest question took.
  if (decision === 'expired' && consistency !== 'fully_consistent') return null;
  const isExcused = state.revocations.some((one, index) =>
    one.phase === 'returned' || one.phase === 'unanswered'
      ? takesBack(configuration, state, index, token)
      : isLost(configuration, one, index, request, unshown),
  );
  if (isExcused) return null;
  const isTouched = state.revocations.some(({ phase }, index) => phase === 'returned' && holds(after, index));
  return decision === 'revoked' && isTouched ? 5 : 1;
}

/**
 * What a restored database has lost may still count for an answer that may be old; and for any other, where a source
 * brings it while the database is being asked. The next question shows that it was lost.
 */
function isLost(
  configuration: Configuration,
  { phase }: Revocation,
  index: number,
  { token, consistency }: Request,
  unshown: Head,
): boolean {
  if (phase !== 'lost' || (consistency === 'fully_consistent' && !unshown.includes(index))) return false;
  const { target } = configuration.revocations[index] as Configuration['revocations'][number];
  return lineageOf(configuration, token).some((one) => isTarget(configuration, target, one));
}
