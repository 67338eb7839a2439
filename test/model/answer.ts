import { age, ageOf, databaseNow, hasReached, instantOf, questionOf } from './follower.ts';
import { brokenBy, type Decision, isTarget, lineageOf, shownOf } from './promises.ts';
import {
  type Configuration,
  type Exchange,
  type Head,
  holds,
  type Invariant,
  infinite,
  type Request,
  type State,
  type Validator,
  type Watermarks,
} from './state.ts';

/** False where it throws. */
export function requireCurrent(configuration: Configuration, state: State, validator: Validator): boolean {
  const { fence } = configuration;
  if (fence === null) return true;
  const { presenceProvenAt: provenAt } = validator;
  return provenAt !== null && ageOf(configuration, state, validator, provenAt) <= fence;
}

/** Answers from what is known here, or has the database asked. */
export function begin(configuration: Configuration, next: State, mine: Validator, request: Request): Invariant | null {
  const { token, consistency } = request;
  if (shownOf(configuration).length > 0 && request.release === null) {
    const { release } = mine;
    if (release && release.revision >= mine.releasedAt)
      return begin(configuration, next, mine, { ...request, release });
    mine.exchanges.push(exchangeOf('release', [request], next, mine));
    return null;
  }
  if (consistency === 'fully_consistent') return readLater(next, mine, request);
  if (isFreshEnough(configuration, next, mine, request)) return recall(configuration, next, mine, request);
  const isKnown = holds(mine.cached | mine.cachedAbsent, token);
  if (consistency === 'max_staleness' && !isKnown) return readLater(next, mine, request);
  mine.waitingForRefresh = [...mine.waitingForRefresh, request];
  return null;
}

function isFreshEnough(configuration: Configuration, state: State, mine: Validator, request: Request): boolean {
  return request.consistency === 'at_least_revision'
    ? hasReached(mine, request.revision)
    : age(configuration, state, mine) <= configuration.staleness;
}

/** From the cache, or else from the database. */
export function recall(configuration: Configuration, next: State, mine: Validator, request: Request): Invariant | null {
  const { token } = request;
  if (holds(mine.cachedAbsent, token)) return tell(configuration, next, mine, request, 'unknown');
  if (!holds(mine.cached, token)) return readLater(next, mine, request);
  const watermarks = configuration.guards.judgedAnew ? mine.watermarks : {};
  const now = configuration.guards.expiryOfCached ? databaseNow(configuration, next, mine) : 0;
  return tell(configuration, next, mine, request, decide(configuration, next, token, watermarks, now));
}

/** It is made anew where what it would show may have changed. @param unshown as `brokenBy` has it. */
export function tell(
  configuration: Configuration,
  next: State,
  mine: Validator,
  request: Request,
  decision: Decision,
  unshown: Head = [],
): Invariant | null {
  const { guards } = configuration;
  const { release } = request;
  const isChanged = guards.releaseLookedAtAgain && release !== null && release.revision < mine.releasedAt;
  const isOfAnother = guards.releaseOfThisHistory && release?.isOfThisGeneration === false;
  if (isChanged || isOfAnother) return begin(configuration, next, mine, { ...request, release: null });
  return brokenBy(configuration, next, mine, request, decision, unshown);
}

/** It is sent at once where nothing is under way: a request that waits is no better than one that comes later. */
function readLater(next: State, mine: Validator, request: Request): null {
  mine.waiting = [...mine.waiting, request];
  sendBatch(next, mine);
  return null;
}

export function sendBatch(next: State, mine: Validator): void {
  if (mine.waiting.length === 0 || mine.exchanges.some(({ kind }) => kind === 'read')) return;
  mine.exchanges.push(exchangeOf('read', mine.waiting, next, mine));
  mine.waiting = [];
}

export const exchangeOf = (
  kind: Exchange['kind'],
  requests: readonly Request[],
  state: State,
  validator: Validator,
): Exchange => ({
  kind,
  requests,
  begunAt: kind === 'beat' ? instantOf(state, validator) : null,
  question: questionOf(state, validator),
  records: null,
  answer: null,
  row: null,
  read: null,
});

/** As in `decide.ts`, of a record that was found. */
export function decide(
  configuration: Configuration,
  state: State,
  token: number,
  watermarks: Watermarks,
  now: number,
): Decision {
  const lineage = configuration.guards.lineageChecked ? lineageOf(configuration, token) : [token];
  const isRevoked = lineage.some((one) =>
    Object.entries(watermarks).some(
      ([target, ceiling]) => isTarget(configuration, target, one) && (state.tokens[one]?.sequence ?? 0) <= ceiling,
    ),
  );
  if (isRevoked) return 'revoked';
  return lineage.some((one) => now >= (state.tokens[one]?.expiresAt ?? infinite)) ? 'expired' : 'active';
}
