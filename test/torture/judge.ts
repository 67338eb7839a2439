import { type Draw, drawsOf } from './draws.ts';
import { type Answered, type Event, type Issued, isForGood, levels, type Restored, type Revoked } from './history.ts';
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
  const tokens = events.filter((event) => event.type === 'issued');
  const drawOf = drawsOf(tokens);
  return tokens.flatMap((token) =>
    judgeToken(token, drawOf(token), revoked.of(token), answers.get(token.tokenId) ?? []),
  );
}

function judgeToken(
  token: Issued,
  drawn: Draw,
  relevant: readonly Revoked[],
  answers: readonly Answered[],
): Violation[] {
  const violations: Violation[] = [];
  const found = (promise: string, ...history: readonly (Event | undefined)[]) => {
    const told = new Set([token, ...history].filter((event) => event !== undefined));
    violations.push({ promise, history: [...told].sort(byStart) });
  };

  const isInOrder = drawn.after.start <= token.end;
  if (!isInOrder) found('its sequence is higher than that of one that was asked for later', drawn.after);
  const draw = isInOrder ? drawn : { after: token, before: token };
  const surely = relevant.filter((one) => isSure(one, token, draw));
  const dead = surely.find((one) => isForGood(one.target) && one.end < draw.after.start);
  if (dead) found(`issued under a ${dead.target.level} that was dead before`, dead, draw.after);
  const refusals = answers.filter(({ active, start }) => !active && start > token.end);
  // However fresh it was: what refused it had been committed by then.
  const firstRefusal = earliestEnd(refusals);
  for (const answer of answers.filter(({ active }) => active)) {
    const missed = missedBy(answer, surely);
    if (missed) {
      // Where it was under way meanwhile, another tells that it was covered.
      const teller = isForGood(missed.target) || token.end < missed.start ? undefined : draw.before;
      found(`active, ${answer.freshness.mode}, after its revocation returned`, missed, teller, answer);
    }
    if (answer.freshness.mode === 'full' && firstRefusal && firstRefusal.end < answer.start) {
      found('active after it was refused', firstRefusal, answer);
    }
  }
  for (const refusal of refusals) {
    const before = relevant.filter((one) => one.start < refusal.end);
    if (before.length === 0) found('refused though nothing revokes it', refusal);
    else if (!before.some((one) => mayCover(one, draw))) {
      found('refused by a revocation from before it was asked for', earliestEnd(before), draw.after, refusal);
    }
  }
  return violations;
}

/** Not one that failed, nor one that came back before the token's sequence was surely drawn, nor one of another's key. */
const isSure = ({ target, revision, start }: Revoked, { signingKeyId }: Issued, { before }: Draw): boolean =>
  revision !== null &&
  (isForGood(target) || before.end < start) &&
  (target.level !== 'signing_key' || target.signingKeyId === signingKeyId);

/** A revocation that returned before the token's sequence was drawn does not touch it. */
const mayCover = (one: Revoked, { after }: Draw): boolean =>
  isForGood(one.target) || one.revision === null || one.end >= after.start;

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
  readonly #signingKeysByTenant: Map<string, Revoked[]>;

  constructor(revoked: readonly Revoked[]) {
    this.#byKey = Map.groupBy(revoked, ({ target }) => keyOf(target));
    const ofSigningKeys = revoked.filter(({ target }) => target.level === 'signing_key');
    this.#signingKeysByTenant = Map.groupBy(ofSigningKeys, ({ target }) => target.tenantId);
  }

  /** With those of all keys that may have signed it. */
  of({ tenantId, appId, userId, tokenId, consentId, signingKeyId }: Issued): Revoked[] {
    const whole = { tenantId, appId, userId, tokenId, consentId: consentId ?? '', signingKeyId: signingKeyId ?? '' };
    const ofKeys = signingKeyId === '' ? (this.#signingKeysByTenant.get(tenantId) ?? []) : [];
    return [...levels.flatMap((level) => this.#byKey.get(keyOf({ level, ...whole })) ?? []), ...ofKeys];
  }
}

/** What of a target its level looks at: of a token, what a revocation of that level must name to cover it. */
function keyOf({ level, tenantId, appId, userId, tokenId, consentId, signingKeyId }: Revoked['target']): string {
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
    case 'consent':
      return `${level} ${consentId}`;
    case 'signing_key':
      return `${level} ${signingKeyId}`;
  }
}
