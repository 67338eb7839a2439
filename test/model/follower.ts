import { shownOf } from './promises.ts';
import {
  type Answer,
  type Configuration,
  type Database,
  type Exchange,
  type Head,
  type Instant,
  infinite,
  type Question,
  type Request,
  type State,
  type Validator,
  type Watermarks,
} from './state.ts';

export const instantOf = ({ now }: State, { wallBehind, monotonicBehind }: Validator): Instant => ({
  wall: now - wallBehind,
  monotonic: now - monotonicBehind,
});

/** The greater of what the two clocks say. */
export function ageOf({ guards }: Configuration, state: State, validator: Validator, then: Instant): number {
  const { wall, monotonic } = instantOf(state, validator);
  return Math.max(
    guards.wallClockCounts ? wall - then.wall : 0,
    guards.monotonicClockCounts ? monotonic - then.monotonic : 0,
  );
}

/** The database that the validator reaches. */
export const databaseOf = ({ primary, former }: State, { side }: Validator): Database =>
  side === 'former' && former ? former : primary;

export const watermarksOf = ({ marks }: Database): Watermarks =>
  Object.fromEntries(Object.entries(marks).map(([target, { ceiling }]) => [target, ceiling]));

const isPrefix = (head: Head, of: Head): boolean => head.every((one, index) => of[index] === one);

const continues = ({ guards }: Configuration, applied: Head, sealed: Head): boolean =>
  (!guards.inOrder || sealed.length === applied.length + 1) && (!guards.byHash || isPrefix(applied, sealed));

const contradicts = ({ guards }: Configuration, applied: Head, head: Head): boolean =>
  guards.byHash && head.length <= applied.length && !isPrefix(head, applied);

/** Applies the last revision of `sealed` where that follows. */
export function apply(configuration: Configuration, next: State, validator: Validator, sealed: Head): void {
  if (sealed.length <= validator.applied.length || !continues(configuration, validator.applied, sealed)) return;
  const cut = sealed.at(-1) as number;
  const { target } = configuration.revocations[cut] as Configuration['revocations'][number];
  const ceiling = next.revocations[cut]?.ceiling ?? 0;
  const before = validator.watermarks[target] ?? 0;
  const raised = configuration.guards.neverLowered ? Math.max(before, ceiling) : ceiling;
  validator.watermarks = { ...validator.watermarks, [target]: raised };
  validator.applied = sealed;
  if (target === 'shown') validator.releasedAt = sealed.length;
}

function applyAll(configuration: Configuration, next: State, validator: Validator, head: Head): void {
  for (let revision = validator.applied.length + 1; revision <= head.length; revision++) {
    apply(configuration, next, validator, head.slice(0, revision));
  }
}

export const questionOf = (state: State, validator: Validator): Question => ({
  sentAt: instantOf(state, validator),
  revision: validator.applied.length,
  isOfThisGeneration: true,
});

/**
 * Takes what the database said of its history. False: it is another history, or was another database; ask again, or wait
 * until it has been loaded.
 */
export function absorb(
  configuration: Configuration,
  next: State,
  validator: Validator,
  exchange: Exchange,
  answer: Answer,
): boolean {
  const { guards } = configuration;
  const question = exchange.question as Question;
  if (guards.askedAgain && !question.isOfThisGeneration) {
    askAgain(next, validator, exchange);
    return false;
  }
  meet(configuration, validator, answer.server);
  if (guards.catchUp) applyAll(configuration, next, validator, answer.head);
  if (guards.catchUp && validator.applied.length < answer.head.length && !readOn(configuration, next, validator)) {
    return reload(next, validator, exchange);
  }
  const wentBack = guards.numberWentBack && answer.head.length < question.revision;
  if (wentBack || contradicts(configuration, validator.applied, answer.head)) return reload(next, validator, exchange);
  const at = instantOf(next, validator);
  prove(validator, guards.provenFromSending ? question.sentAt : at);
  tellTime(validator, guards.databaseTimeFromSending ? question.sentAt : at, answer.now);
  return true;
}

/** An older question says nothing new. */
function tellTime(validator: Validator, at: Instant, now: number): void {
  const isOld = validator.databaseTime !== null && at.monotonic < validator.databaseTime.at.monotonic;
  if (!isOld) validator.databaseTime = { now, at };
}

/** Reads on where revisions are missing. False: what is there does not continue the chain held. */
function readOn(configuration: Configuration, next: State, validator: Validator): boolean {
  const before = validator.applied.length;
  const { server, history } = databaseOf(next, validator);
  meet(configuration, validator, server);
  applyAll(configuration, next, validator, history);
  return validator.applied.length > before;
}

function askAgain(next: State, validator: Validator, exchange: Exchange): void {
  Object.assign(exchange, { question: questionOf(next, validator), records: null, answer: null });
}

function meet(configuration: Configuration, validator: Validator, server: number): void {
  const isOther = validator.server !== null && validator.server !== server;
  if (isOther && configuration.guards.serverMet) raiseGeneration(validator);
  validator.server = server;
}

/** What is remembered, and what is under way, belongs to another generation from now on. */
function raiseGeneration(validator: Validator): void {
  validator.cached = 0;
  validator.cachedAbsent = 0;
  validator.release = null;
  validator.waiting = validator.waiting.map(ofFormerGeneration);
  validator.waitingForRefresh = validator.waitingForRefresh.map(ofFormerGeneration);
  for (const exchange of validator.exchanges) {
    exchange.requests = exchange.requests.map(ofFormerGeneration);
    if (exchange.question) exchange.question = { ...exchange.question, isOfThisGeneration: false };
    if (exchange.read) exchange.read = { ...exchange.read, isOfThisGeneration: false };
  }
}

const ofFormerGeneration = (request: Request): Request =>
  request.release ? { ...request, release: { ...request.release, isOfThisGeneration: false } } : request;

function prove(validator: Validator, sentAt: Instant): void {
  if (!validator.provenAt || sentAt.monotonic > validator.provenAt.monotonic) validator.provenAt = sentAt;
}

/** Asks for all that is in force; whoever else needs that waits for the same. */
function reload(next: State, validator: Validator, exchange: Exchange): false {
  Object.assign(exchange, { question: null, records: null, answer: null });
  if (validator.load) return false;
  validator.provenAt = null;
  sendLoad(next, validator);
  return false;
}

export function sendLoad(next: State, validator: Validator): void {
  const database = databaseOf(next, validator);
  validator.load = {
    sentAt: instantOf(next, validator),
    head: database.history,
    watermarks: watermarksOf(database),
  };
}

/** What was asked for has come. */
export function adopt(configuration: Configuration, next: State, validator: Validator): void {
  const { guards } = configuration;
  const { load: loaded, watermarks: before } = validator;
  if (!loaded) return;
  for (const exchange of validator.exchanges) {
    // What has been read goes on with the watermarks that it was read with.
    if (exchange.read) exchange.read = { ...exchange.read, watermarks: exchange.read.watermarks ?? before };
  }
  validator.applied = loaded.head;
  validator.watermarks = guards.watermarksDropped ? loaded.watermarks : theHigher(before, loaded.watermarks);
  validator.load = null;
  if (shownOf(configuration).length > 0) validator.releasedAt = loaded.head.length;
  if (validator.isUp) raiseGeneration(validator);
  // Whichever server told another history: only the next question proves that it is the one in force.
  validator.provenAt = validator.isUp ? null : loaded.sentAt;
  validator.isUp = true;
  for (const exchange of validator.exchanges) {
    if (!exchange.question && !exchange.read) exchange.question = questionOf(next, validator);
  }
}

const theHigher = (one: Watermarks, other: Watermarks): Watermarks =>
  Object.fromEntries(Object.entries(one).map(([target, ceiling]) => [target, Math.max(ceiling, other[target] ?? 0)]));

/** Whether the revision belongs to the history that is followed, and has been applied. */
export const hasReached = ({ applied }: Validator, revision: Head): boolean => isPrefix(revision, applied);

/** The database's clock, as far as the validator can tell. */
export function databaseNow(configuration: Configuration, state: State, validator: Validator): number {
  const { databaseTime } = validator;
  return databaseTime ? databaseTime.now + ageOf(configuration, state, validator, databaseTime.at) : infinite;
}

export const age = (configuration: Configuration, state: State, validator: Validator): number =>
  validator.provenAt ? ageOf(configuration, state, validator, validator.provenAt) : infinite;
