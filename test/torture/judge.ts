import { type Answered, type Event, type Issued, isForGood, type Restored, type Revoked } from './history.ts';
import { historiesOf } from './restored.ts';

/** An answer that no promise allows, with the shortest history that shows it. */
export interface Violation {
  readonly promise: string;
  readonly history: readonly Event[];
}

/**
 * Holds a history against the promises.
 *
 * A token is a register that goes from live to dead once and never back, so whether its fully consistent answers can be
 * put in an order needs no search (Gibbons and Korach, Testing Shared Memories, 1997, for registers in general): there is
 * an instant of its death that comes after the start of every answer `active` and of some revocation, and before the end
 * of every refusal and of every revocation that surely covers it - or there is none. The same for answers that may be
 * stale, only that their past counts back from the call.
 */
export const judge = (events: readonly Event[], restores: readonly Restored[] = []): Violation[] =>
  historiesOf(events, restores).flatMap(judgeHistory);

function judgeHistory(events: readonly Event[]): Violation[] {
  const revoked = new RevokedIndex(events.filter((event) => event.type === 'revoked'));
  const answers = Map.groupBy(
    events.filter((event) => event.type === 'answered'),
    ({ tokenId }) => tokenId,
  );
  return events
    .filter((event) => event.type === 'issued')
    .flatMap((token) => judgeToken(token, revoked.of(token), answers.get(token.tokenId) ?? []));
}

function judgeToken(token: Issued, relevant: readonly Revoked[], answers: readonly Answered[]): Violation[] {
  const surely = relevant.filter((one) => isSure(one, token));
  const violations: Violation[] = [];
  const found = (promise: string, ...history: readonly (Event | undefined)[]) =>
    violations.push({ promise, history: [token, ...history.filter((event) => event !== undefined)].sort(byStart) });

  const refusals = answers.filter(({ active, start }) => !active && start > token.end);
  // However fresh it was: what refused it had been committed by then.
  const firstRefusal = earliestEnd(refusals);
  for (const answer of answers.filter(({ active }) => active)) {
    const missed = missedBy(answer, surely);
    if (missed) found(`active, ${answer.freshness.mode}, after its revocation returned`, missed, answer);
    if (answer.freshness.mode === 'full' && firstRefusal && firstRefusal.end < answer.start) {
      found('active after it was refused', firstRefusal, answer);
    }
  }
  for (const refusal of refusals) {
    if (!relevant.some((one) => one.start < refusal.end)) found('refused though nothing revokes it', refusal);
    else if (!relevant.some((one) => one.start < refusal.end && mayCover(one, token))) {
      const before = relevant.filter((one) => one.start < refusal.end);
      found('refused by a revocation from before it was asked for', earliestEnd(before), refusal);
    }
  }
  return violations;
}

/** Not one that failed, nor one that came back before the token was surely there. */
const isSure = (one: Revoked, token: Issued): boolean =>
  one.revision !== null && (isForGood(one.target) || token.end < one.start);

/** A revocation that returned before the token was asked for does not touch it. */
const mayCover = (one: Revoked, token: Issued): boolean =>
  isForGood(one.target) || one.revision === null || one.end >= token.start;

/** A revocation that the answer had to know of. */
function missedBy({ start, freshness }: Answered, surely: readonly Revoked[]): Revoked | undefined {
  switch (freshness.mode) {
    case 'full':
      return surely.find(({ end }) => end < start);
    case 'bounded':
      return surely.find(({ end }) => end < start - freshness.milliseconds);
    case 'revision':
      return surely.find(({ revision }) => revision !== null && revision <= freshness.revision);
  }
}

const byStart = (a: Event, b: Event): number => a.start - b.start;

const earliestEnd = <Some extends Event>(events: readonly Some[]): Some | undefined =>
  events.reduce<Some | undefined>((first, one) => (first && first.end <= one.end ? first : one), undefined);

/** The revocations of a token, without looking at all there are. */
class RevokedIndex {
  readonly #byKey: Map<string, Revoked[]>;

  constructor(revoked: readonly Revoked[]) {
    this.#byKey = Map.groupBy(revoked, ({ target }) => keyOf(target));
  }

  of(token: Issued): Revoked[] {
    const { tenantId, appId, userId, tokenId } = token;
    const whole = { tenantId, appId, userId, tokenId };
    const levels = ['token', 'user', 'app_user', 'app', 'tenant', 'all', 'disabled_app'] as const;
    return levels.flatMap((level) => this.#byKey.get(keyOf({ level, ...whole })) ?? []);
  }
}

/** What of a target its level looks at: of a token, what a revocation of that level must name to cover it. */
function keyOf({ level, tenantId, appId, userId, tokenId }: Revoked['target']): string {
  switch (level) {
    case 'all':
      return level;
    case 'token':
      return `${level} ${tokenId}`;
    case 'tenant':
      return `${level} ${tenantId}`;
    case 'user':
      return `${level} ${tenantId} ${userId}`;
    case 'app':
    case 'disabled_app':
      return `${level} ${appId}`;
    case 'app_user':
      return `${level} ${appId} ${userId}`;
  }
}
