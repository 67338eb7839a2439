import { endsOf, hasExpired, isTarget, lineageOf } from './promises.ts';
import {
  bit,
  type CensusRow,
  type Configuration,
  type Database,
  holds,
  type Invariant,
  infinite,
  type Mark,
  type Revocation,
  type State,
  type Token,
  type ValidatorPlan,
} from './state.ts';
import type { Take } from './take.ts';

/** How many numbers an issuer would keep. */
const blockSize = 2;

/** What issuers, revokers, upkeep and operators can do next. */
export function databaseSteps(configuration: Configuration, state: State, take: Take): void {
  for (const [index, { phase }] of state.tokens.entries()) {
    if (phase === 'unasked' && hasParent(configuration, state, index)) {
      take(`token ${index}: draw`, (next) => draw(configuration, next, index, next.primary));
      if (state.former) {
        take(`token ${index}: draw on the server that was cut off`, (next) =>
          draw(configuration, next, index, next.former as Database),
        );
      }
    }
    if (phase === 'drawn' && isSettled(configuration, state)) {
      take(`token ${index}: insert, returns`, (next) => insert(configuration, next, index));
    }
  }
  for (const index of state.revocations.keys()) revocationSteps(configuration, state, index, take);
  if (configuration.forgets) forgettingSteps(configuration, state, take);
  if (configuration.coverage) coverageStep(configuration, state, take);
  if (configuration.failover) failoverSteps(configuration, state, take);
}

/** A token can be derived only from one that its issuer holds. */
const hasParent = (configuration: Configuration, state: State, index: number): boolean =>
  lineageOf(configuration, index).every((one) => one === index || state.tokens[one]?.phase === 'issued');

function draw(configuration: Configuration, next: State, index: number, from: Database): void {
  const { guards, revocations, ttl } = configuration;
  const token = next.tokens[index] as Token;
  if (next.kept.length === 0) {
    const drawn = guards.drawnOnDemand ? 1 : blockSize;
    next.kept = Array.from({ length: drawn }, () => ++from.sequence);
  }
  const [sequence = 0, ...kept] = next.kept;
  const isBefore = next.revocations.map(
    ({ phase }, i) => phase === 'returned' && isTarget(configuration, revocations[i]?.target ?? '', index),
  );
  next.kept = kept;
  token.phase = 'drawn';
  token.sequence = sequence;
  token.drawnOn = from.server;
  token.expiresAt = Math.min(infinite, next.now + ttl);
  token.after = isBefore.reduce((bits, isOne, i) => (isOne ? bits | bit(i) : bits), 0);
}

/** Whoever asked for it may know nothing of what has ended meanwhile, or a second before. */
function insert(configuration: Configuration, next: State, index: number): Invariant | null {
  const { guards } = configuration;
  const { primary, revocations } = next;
  const token = next.tokens[index] as Token;
  const ends = endsOf(configuration, index);
  const isDrawnElsewhere = guards.drawnHere && token.drawnOn !== primary.server;
  if (isDrawnElsewhere || (guards.standingAtInsert && ends.some((end) => primary.history.includes(end)))) {
    Object.assign(token, { ...noToken, phase: 'failed' } satisfies Token);
    return null;
  }
  token.phase = 'issued';
  primary.records |= bit(index);
  return ends.some((end) => revocations[end]?.phase === 'returned' && holds(token.after, end)) ? 9 : null;
}

/** Writes are taken: the trigger `settled`. */
const isSettled = ({ guards }: Configuration, { primary, now }: State): boolean =>
  !guards.writesHeldBack || (primary.writesFrom !== null && primary.writesFrom <= now);

function revocationSteps(configuration: Configuration, state: State, index: number, take: Take): void {
  const { guards } = configuration;
  const { target, reach } = configuration.revocations[index] as Configuration['revocations'][number];
  const { phase } = state.revocations[index] as Revocation;
  const step = (name: string, change: (next: State, revocation: Revocation) => void) =>
    take(`revocation ${index} (${target}, ${reach}): ${name}`, (next) =>
      change(next, next.revocations[index] as Revocation),
    );
  const isLocked =
    guards.lockedBeforeReading && state.revocations.some((one) => ['locked', 'read'].includes(one.phase));
  if (phase === 'uncalled' && !isLocked && canBeRevoked(configuration, state, target)) {
    if (guards.lockedBeforeReading) {
      step('lock', ({ tokens }, revocation) => {
        revocation.phase = 'locked';
        revocation.issuedBefore = issuedOf(tokens);
      });
    } else {
      step('reads before the lock', (next, revocation) => {
        revocation.issuedBefore = issuedOf(next.tokens);
        read(configuration, next, index);
      });
    }
  }
  if (phase === 'locked') step('reads sequence and mark', (next) => read(configuration, next, index));
  if (phase === 'read' && isSettled(configuration, state)) {
    step('commit, returns', (next, revocation) => {
      commit(next, target, index);
      answer(next, revocation);
    });
  }
  if (phase === 'unanswered' && (isSettled(configuration, state) || !guards.repeatsHeldBack)) {
    step('is repeated, returns', answer);
  }
}

const issuedOf = (tokens: readonly Token[]): number =>
  tokens.reduce((bits, { phase }, token) => (phase === 'issued' ? bits | bit(token) : bits), 0);

/** One token is revoked by whoever holds it; a token and its target are found for as long as they may be alive. */
const canBeRevoked = (configuration: Configuration, state: State, target: string): boolean =>
  state.tokens.every(
    ({ phase }, token) =>
      target !== `token ${token}` || (phase === 'issued' && !hasExpired(configuration, state, token)),
  );

function read({ guards, revocations, ttl }: Configuration, next: State, index: number): void {
  const { target, reach } = revocations[index] as Configuration['revocations'][number];
  const revocation = next.revocations[index] as Revocation;
  const { sequence, marks } = next.primary;
  const before = marks[target] as Mark;
  revocation.phase = 'read';
  revocation.ceiling = reach === 'forever' && guards.infiniteCeiling ? infinite : sequence;
  revocation.mark = {
    ceiling: guards.neverLowered ? Math.max(before.ceiling, revocation.ceiling) : revocation.ceiling,
    coversUntil: Math.max(before.coversUntil, reach === 'forever' ? infinite : Math.min(infinite, next.now + ttl)),
  };
}

function commit({ primary, revocations }: State, target: string, index: number): void {
  const revocation = revocations[index] as Revocation;
  primary.history = [...primary.history, index];
  primary.marks = { ...primary.marks, [target]: revocation.mark as Mark };
  revocation.phase = 'unanswered';
  revocation.mark = null;
}

function answer({ now, primary }: State, revocation: Revocation): void {
  revocation.phase = 'returned';
  revocation.returnedAt = now;
  revocation.server = primary.server;
}

function forgettingSteps({ guards }: Configuration, state: State, take: Take): void {
  for (const [target, { ceiling, coversUntil }] of Object.entries(state.primary.marks)) {
    // Without the guard it goes as soon as the revocation is history.
    if (ceiling === 0 || (guards.forgottenAfterExpiry && state.now < coversUntil)) continue;
    take(`upkeep forgets the mark of ${target}`, ({ primary }) => {
      primary.marks = { ...primary.marks, [target]: noMark };
    });
  }
}

const noMark: Mark = { ceiling: 0, coversUntil: 0 };

/** Coverage.advance: whoever asks for a revocation is told at once. */
function coverageStep(configuration: Configuration, state: State, take: Take): void {
  const revision = coveredBy(configuration, state);
  if (revision <= state.primary.covered) return;
  take(`up to revision ${revision} all is complete`, ({ primary }) => {
    primary.covered = revision;
  });
}

/** The last revision that all validators have applied that are waited for. Where there are none, nobody is behind. */
function coveredBy({ guards, fence }: Configuration, { primary, now }: State): number {
  // Without the guard for none that has not committed in this very tick.
  const least = guards.everyLiveAwaited ? now : now + (fence ?? 0);
  const applied = primary.census.flatMap((row) => (row && row.until >= least ? row.applied : []));
  return Math.min(primary.history.length, ...applied);
}

function failoverSteps(configuration: Configuration, state: State, take: Take): void {
  const { primary, now } = state;
  if (primary.server > 0) {
    if (primary.writesFrom === null && canReach(primary, now)) {
      take('another replica commits its beat', (next) => settle(configuration, next));
    }
  } else if (configuration.failover === 'cut off') {
    take('the primary is cut off, another is promoted', (next) => promote(configuration, next));
    // Postgres logs a sequence ahead of what has been drawn.
    take('the primary is cut off, another is promoted that takes one number more for drawn', (next) => {
      promote(configuration, next);
      next.primary.sequence++;
    });
    for (const [index, { phase }] of state.revocations.entries()) {
      if (phase !== 'read') continue;
      take(`the primary is cut off, another is promoted that has revocation ${index}`, (next) =>
        promote(configuration, next, index),
      );
    }
  } else if (!state.backup) {
    take('a backup is taken', (next) => {
      next.backup = state.primary;
    });
  } else take('the backup is restored', (next) => restore(configuration, next));
}

/**
 * Nothing is lost; what was being revoked fails, unless the new primary had it before the old one could answer. Whoever
 * issues and revokes finds the new one.
 */
function promote(configuration: Configuration, next: State, arrived: number | null = null): void {
  next.former = { ...next.primary };
  if (arrived !== null) commit(next, configuration.revocations[arrived]?.target ?? '', arrived);
  next.primary = begunAnew(configuration, next.primary, next.now);
  for (const validator of next.validators) validator.side = 'former';
  for (const revocation of next.revocations) fail(revocation);
}

function restore(configuration: Configuration, next: State): void {
  const { tokens, revocations, primary, backup } = next;
  if (!backup) return;
  for (const [index, token] of tokens.entries()) {
    if (token.phase === 'issued' && !holds(backup.records, index)) token.phase = 'lost';
  }
  for (const [index, revocation] of revocations.entries()) {
    if (revocation.phase === 'returned' && !backup.history.includes(index)) revocation.phase = 'lost';
    fail(revocation);
  }
  next.lost = primary.history.length > backup.history.length ? primary.history : [];
  next.primary = begunAnew(configuration, backup, next.now);
  next.backup = null;
}

/** Where a census is kept, the first beat says from when writes are taken. */
const begunAnew = ({ fence }: Configuration, from: Database, now: number): Database => ({
  ...from,
  server: from.server + 1,
  since: now,
  writesFrom: fence === null ? from.writesFrom : null,
});

function fail(revocation: Revocation): void {
  if (!['locked', 'read'].includes(revocation.phase)) return;
  Object.assign(revocation, { phase: 'failed', ceiling: 0, issuedBefore: 0, mark: null } satisfies Partial<Revocation>);
}

/** A promotion takes time. */
export const canReach = ({ server, since }: Database, now: number): boolean => server === 0 || now > since;

/** The first beat on a server that was promoted says from when writes are taken. */
export function settle({ fence }: Configuration, { primary, now }: State): void {
  primary.writesFrom ??= now + (fence ?? 0);
}

/** The targets that have marks. */
export const targetsOf = ({ revocations }: Configuration): string[] => [
  ...new Set(revocations.map(({ target }) => target)),
];

export const emptyDatabase = (configuration: Configuration): Database => ({
  server: 0,
  sequence: 0,
  records: 0,
  history: [],
  marks: Object.fromEntries(targetsOf(configuration).map((target) => [target, noMark])),
  since: 0,
  writesFrom: 0,
  census: configuration.coverage ? configuration.validators.map((plan) => firstRowOf(configuration, plan)) : [],
  covered: 0,
});

/** Of one that has been up from the beginning. */
const firstRowOf = ({ fence }: Configuration, { startsLater }: ValidatorPlan): CensusRow | null =>
  startsLater ? null : { applied: 0, until: fence ?? 0 };

export const noToken: Token = { phase: 'unasked', sequence: 0, drawnOn: 0, expiresAt: infinite, after: 0 };
