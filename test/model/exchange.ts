import { begin, decide, recall, requireCurrent, sendBatch, tell } from './answer.ts';
import { canReach, settle } from './database.ts';
import { absorb, ageOf, databaseOf, hasReached, instantOf, questionOf } from './follower.ts';
import { shownOf } from './promises.ts';
import {
  type Answer,
  bit,
  type CensusRow,
  type Configuration,
  type Database,
  type Exchange,
  holds,
  type Invariant,
  type Question,
  type RecordsAsOf,
  type Request,
  type State,
  type Validator,
} from './state.ts';

type Act =
  | ((next: State, mine: Validator, exchange: Exchange) => void)
  | ((next: State, mine: Validator, exchange: Exchange) => Invariant | null);

/** What can happen to the exchange next. */
export function exchangeSteps(
  configuration: Configuration,
  state: State,
  validator: Validator,
  exchange: Exchange,
  step: (name: string, act: Act) => void,
): void {
  const { kind, question, records, answer, row, read } = exchange;
  if (read) {
    step('is answered', (next, mine, it) => conclude(configuration, next, mine, it));
  } else if (row) {
    step('its commit can be seen', (next, mine, it) => show(next, mine, it, row));
  } else if (answer) {
    step('the reply comes', (next, mine, it) => receive(configuration, next, mine, it, answer));
  } else if (question && kind === 'read' && !configuration.guards.oneStatement && records === null) {
    step('the records are read', (next, mine, it) => {
      it.records = databaseOf(next, mine).records;
    });
  } else if (question && (kind !== 'beat' || canCommit(configuration, state, validator))) {
    step(kind === 'beat' ? 'the database commits it' : 'the database reads', (next, mine, it) => {
      if (kind === 'beat' && mine.side === 'primary') settle(configuration, next);
      it.answer = answerOf(databaseOf(next, mine), next, it);
      if (kind === 'beat' && configuration.coverage) it.row = rowOf(configuration, next, question);
    });
    if (configuration.connectionsLast && kind !== 'beat' && state.former && validator.side === 'primary') {
      step('the former primary reads', (next, _, it) => {
        it.answer = answerOf(next.former as Database, next, it);
      });
    }
  } else if (question && kind === 'beat') {
    step('fails', (_, mine, it) => end(mine, it));
  }
}

/** A primary that was cut off waits for its standby for ever. */
const canCommit = ({ guards }: Configuration, { primary, now }: State, { side }: Validator): boolean =>
  side === 'former' ? !guards.beatCommitted : canReach(primary, now);

/** What the statement writes, which says how the history stands as well: that is seen by others later than it looks. */
const rowOf = ({ fence }: Configuration, { now }: State, { revision }: Question): CensusRow => ({
  applied: revision,
  until: now + (fence ?? 0),
});

function show({ primary, validators }: State, mine: Validator, exchange: Exchange, row: CensusRow): void {
  primary.census = primary.census.with(validators.indexOf(mine), row);
  exchange.row = null;
}

/** One snapshot. */
function answerOf(database: Database, state: State, { requests, records }: Exchange): Answer {
  const wanted = requests.reduce((bits, { token }) => bits | bit(token), 0);
  return {
    records: (records ?? database.records) & wanted,
    head: database.history,
    now: state.now,
    server: database.server,
  };
}

function receive(
  configuration: Configuration,
  next: State,
  mine: Validator,
  exchange: Exchange,
  answer: Answer,
): Invariant | null {
  const question = exchange.question as Question;
  if (exchange.kind === 'release') return beginShowing(configuration, next, mine, exchange, answer);
  if (configuration.fence !== null && exchange.kind !== 'beat' && isDisbelieved(configuration, mine, answer)) {
    // StoreUnavailable.
    end(mine, exchange);
    sendBatch(next, mine);
    return null;
  }
  if (!absorb(configuration, next, mine, exchange, answer)) return null;
  if (exchange.kind === 'read') {
    const { records, now } = answer;
    const { revision } = question;
    Object.assign(exchange, {
      question: null,
      records: null,
      answer: null,
      read: { records, revision, now, isOfThisGeneration: true, watermarks: null } satisfies RecordsAsOf,
    });
    return null;
  }
  if (exchange.kind === 'beat') {
    mine.inForce = answer.server;
    if (!wasCounted(configuration, next, mine, exchange)) return null;
    mine.presenceProvenAt = exchange.begunAt;
  }
  end(mine, exchange);
  return firstBroken(exchange.requests, (request) => refreshed(configuration, next, mine, request));
}

/** False where the row had lapsed before this commit could be seen: it is committed once more. */
function wasCounted(configuration: Configuration, next: State, mine: Validator, exchange: Exchange): boolean {
  const { guards, fence, coverage } = configuration;
  if (!coverage) return true;
  const { committedAt } = mine;
  mine.committedAt = exchange.begunAt;
  const isYoung = committedAt !== null && ageOf(configuration, next, mine, committedAt) <= (fence ?? 0);
  if (isYoung || !guards.countedAgain) return true;
  Object.assign(exchange, { begunAt: instantOf(next, mine), question: questionOf(next, mine), answer: null });
  return false;
}

/** What is shown has been read. */
function beginShowing(
  configuration: Configuration,
  next: State,
  mine: Validator,
  exchange: Exchange,
  { head }: Answer,
): Invariant | null {
  const { isOfThisGeneration } = exchange.question as Question;
  const isNarrow = shownOf(configuration).some((index) => head.includes(index));
  const release = { revision: head.length, isNarrow, isOfThisGeneration };
  if (isOfThisGeneration) mine.release = release;
  end(mine, exchange);
  return firstBroken(exchange.requests, (request) => begin(configuration, next, mine, { ...request, release }));
}

const isDisbelieved = ({ guards }: Configuration, { inForce }: Validator, { server }: Answer): boolean =>
  guards.onlyInForceBelieved && server !== inForce;

function refreshed(configuration: Configuration, next: State, mine: Validator, request: Request): Invariant | null {
  if (!requireCurrent(configuration, next, mine)) return null;
  const { consistency, revision } = request;
  // RevisionUnknown.
  if (consistency === 'at_least_revision' && !hasReached(mine, revision)) return null;
  return recall(configuration, next, mine, request);
}

/** Decides about each of the batch, and remembers what may be. */
function conclude(configuration: Configuration, next: State, mine: Validator, exchange: Exchange): Invariant | null {
  const { guards } = configuration;
  const { records, revision, now, isOfThisGeneration, watermarks } = exchange.read as RecordsAsOf;
  end(mine, exchange);
  sendBatch(next, mine);
  if (guards.fencedAtAnswer && !requireCurrent(configuration, next, mine)) return null;
  return firstBroken(exchange.requests, (request) => {
    const { token, consistency } = request;
    const isFound = holds(records, token);
    const inForce = watermarks ?? mine.watermarks;
    const decision = isFound ? decide(configuration, next, token, inForce, now) : 'unknown';
    const isTaken = consistency !== 'fully_consistent' && (isOfThisGeneration || !guards.setOfSameGeneration);
    const isHonoured = guards.judgedAnew || decision === 'active';
    if (isTaken && isFound && isHonoured) mine.cached |= bit(token);
    if (isTaken && !isFound && !guards.absenceForgotten) mine.cachedAbsent |= bit(token);
    return tell(configuration, next, mine, request, decision, mine.applied.slice(revision));
  });
}

function firstBroken(requests: readonly Request[], answer: (request: Request) => Invariant | null): Invariant | null {
  const broken = requests.map(answer);
  return broken.find((one) => one !== null) ?? null;
}

function end(mine: Validator, exchange: Exchange): void {
  mine.exchanges = mine.exchanges.filter((one) => one !== exchange);
}
