import { age, ageOf } from './follower.ts';
import { type Configuration, type Instant, infinite, type State, type Validator } from './state.ts';

const never: Instant = { wall: 0, monotonic: 0 };

/** Makes equal what differs only in times that nothing can come to depend on: there are fewer states then. */
export function forgetWhatNeverMatters(configuration: Configuration, state: State): void {
  const { consistencies, staleness, ttl } = configuration;
  const isBounded = consistencies.includes('max_staleness');
  for (const revocation of state.revocations) {
    const oldest = isBounded ? state.now - staleness - 1 : 0;
    if (revocation.phase === 'returned')
      revocation.returnedAt = isBounded ? Math.max(revocation.returnedAt, oldest) : 0;
  }
  forgetLapsed(configuration, state);
  for (const validator of state.validators) {
    const isTimed = ttl < infinite && consistencies.some((one) => one !== 'fully_consistent');
    if (!isBounded || age(configuration, state, validator) > staleness) validator.provenAt = null;
    if (!isTimed && validator.databaseTime) validator.databaseTime = { now: 0, at: never };
    forgetOldCommits(configuration, state, validator);
    for (const exchange of validator.exchanges) {
      const { question, answer, read } = exchange;
      if (question && !isBounded && !isTimed) exchange.question = { ...question, sentAt: never };
      if (answer && ttl === infinite) exchange.answer = { ...answer, now: 0 };
      if (read && ttl === infinite) exchange.read = { ...read, now: 0 };
    }
  }
}

function forgetOldCommits(configuration: Configuration, state: State, validator: Validator): void {
  const { presenceProvenAt, committedAt } = validator;
  const { fence } = configuration;
  const isOld = (sentAt: Instant | null): boolean =>
    fence !== null && sentAt !== null && ageOf(configuration, state, validator, sentAt) > fence;
  if (fence === null && presenceProvenAt) validator.presenceProvenAt = never;
  if (isOld(presenceProvenAt)) validator.presenceProvenAt = null;
  if (isOld(committedAt)) validator.committedAt = null;
}

/** Whose row has lapsed is not waited for, until it commits another; once all is complete, nobody is. */
function forgetLapsed({ revocations }: Configuration, { primary, now }: State): void {
  const isOver = primary.covered === revocations.length;
  primary.census = primary.census.map((row) => (isOver || !row || row.until < now ? null : row));
}
