import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type ConsistencySchema,
  ErrorReasonSchema,
  RefusalReason,
  RefusalReasonSchema,
  type Status,
  type ValidateTokenRequestSchema,
  type ValidateTokenResponse,
} from '@touchstone/contracts';
import { type Arena, as, type Server, scopes } from './arena.ts';
import type { Held, Race } from './held.ts';
import type { Answered, Freshness, Issued } from './history.ts';
import type { Random } from './random.ts';
import { failureOf, isLost, mayRestOnLost, noteRevision, outcomeOf, type Recorded } from './recorded.ts';

/** In how many of the calls several are validated, and how many at most. */
const [batchShare, batchMax] = [1 / 3, 4];

/** In how many it is what other races have left. */
const leftShare = 0.15;

/** What is asked of a token, and how fresh the answer must be. */
interface Question {
  readonly held: Held;
  readonly freshness: Freshness;
  readonly request: MessageInitShape<typeof ValidateTokenRequestSchema>;
}

/** Validates one of the tokens, or of those that others have left, or some for one server at once. */
export async function validate(race: Race): Promise<void> {
  const { hoard, random, recorded } = race;
  const some = random.next() < leftShare ? recorded.left : hoard.tokens;
  const tokens = some.filter(({ server }) => !server.isGone);
  if (tokens.length === 0) return sleep(5);
  const one = random.of(tokens);
  const ask = (held: Held) => questionOf(held, random, freshnessOf(random, recorded));
  if (random.next() >= batchShare) return validateOne(ask(one), random.of(race.arena.validators), recorded);
  const others = tokens.filter(({ server }) => server === one.server);
  const asked = Array.from({ length: 1 + random.below(batchMax) }, () => ask(random.of(others)));
  return validateSome(race, one.server, asked);
}

/** Validates one of the tokens there, as old as an answer may be. */
export async function validateOld({ hoard, random, recorded }: Race, validator: Validator): Promise<void> {
  const tokens = hoard.tokens.filter(({ server }) => !server.isGone);
  if (tokens.length > 0) await validateOne(questionOf(random.of(tokens), random, within(longest)), validator, recorded);
}

function questionOf(held: Held, random: Random, { freshness, consistency }: Fresh): Question {
  const request = {
    ...random.of(held.presented),
    audience: held.server.audience,
    requiredScopes: scopes,
    consistency: { requirement: consistency },
  };
  return { held, freshness, request };
}

async function validateOne(question: Question, { name, client }: Validator, recorded: Recorded): Promise<void> {
  const { server } = question.held;
  const start = performance.now();
  const call = () => client.validateToken(question.request, as(server));
  const answer = await answerTo(server, 'ValidateToken', call, recorded);
  if (answer) noteAnswer(question, answer, { start, end: performance.now(), by: name }, recorded);
}

/** Null where the call failed. */
async function answerTo<Answer>(
  server: Server,
  what: string,
  call: () => Promise<Answer>,
  recorded: Recorded,
): Promise<Answer | null> {
  const { answer, reason } = await outcomeOf(recorded, what, call, server.life);
  if (reason === 'CALLER_UNKNOWN') server.isGone = true;
  return answer;
}

async function validateSome(
  { arena, random, recorded }: Race,
  server: Server,
  asked: readonly Question[],
): Promise<void> {
  const { name, client } = random.of(arena.validators);
  const what = 'BatchValidateTokens';
  const requests = asked.map(({ request }) => request);
  const start = performance.now();
  const call = () => client.batchValidateTokens({ requests }, as(server));
  const answer = await answerTo(server, what, call, recorded);
  if (!answer) return;
  const made = { start, end: performance.now(), by: name };
  if (answer.results.length !== asked.length) recorded.unexpected.push(`${what} did not answer each`);
  for (const [i, question] of asked.entries()) {
    const outcome = answer.results[i]?.outcome;
    if (outcome?.case === 'validated') {
      noteAnswer(question, outcome.value, made, recorded);
      recorded.batched++;
    } else if (outcome?.case === 'error') noteError(what, start, outcome.value, recorded);
    else recorded.unexpected.push(`${what} left one out`);
  }
}

function noteError(what: string, start: number, { code, reason, message }: Status, recorded: Recorded): void {
  failureOf(recorded, what, { start, code, message, reason: ErrorReasonSchema.value[reason]?.localName ?? '' });
}

function noteAnswer(
  { held: { issued, isBrief, expiresAt }, freshness }: Question,
  answer: ValidateTokenResponse,
  call: Pick<Answered, 'start' | 'end' | 'by'>,
  recorded: Recorded,
): void {
  const { active, reason } = answer;
  const asOf = answer.asOf ? timestampMs(answer.asOf) : Number.NaN;
  if (active && !(asOf < expiresAt)) recorded.unexpected.push('a validator honoured a token that had ended');
  if (isBrief && reason === RefusalReason.EXPIRED) {
    // A string holds whole seconds. What is remembered is held against a clock that may just have been put right.
    if (freshness.mode === 'full' && !(asOf > expiresAt - 1_000))
      recorded.unexpected.push('a validator told EXPIRED of a token that lived');
    return;
  }
  if (active && !isOf(issued, answer)) recorded.unexpected.push(`a validator told of another token`);
  // All that is asked of it, it allows; so there is one reason to refuse it.
  if (!active && reason !== RefusalReason.NOT_HONOURED)
    recorded.unexpected.push(`a validator told ${RefusalReasonSchema.value[reason]?.localName}`);
  if (isLost(recorded, answer.revision)) {
    // It rests on what was lost, too, which may have been about this token.
    if (mayRestOnLost(recorded, { ...call, freshness })) {
      if (!active) return;
    } else recorded.unexpected.push(`a validator told of what was lost long ago, ${freshness.mode}`);
  }
  const known = noteRevision(recorded, answer.revision, call.start);
  recorded.events.push({ type: 'answered', ...call, tokenId: issued.tokenId, freshness, revision: known, active });
}

const isOf = (issued: Issued, { tokenId, tenantId, appId, subject, scopes: told }: ValidateTokenResponse): boolean =>
  isDeepStrictEqual(
    [tokenId, tenantId, appId, subject, told],
    [issued.tokenId, issued.tenantId, issued.appId, issued.userId, scopes],
  );

/** How fresh an answer is to be, and how that is asked for. */
type Fresh = Pick<Question, 'freshness'> & { readonly consistency: Requirement };
type Requirement = NonNullable<MessageInitShape<typeof ConsistencySchema>['requirement']>;
type Validator = Arena['validators'][number];

/** Milliseconds: longer than the fence, which is the limit then. */
const longest = 60_000;

const within = (milliseconds: number): Fresh => ({
  freshness: { mode: 'bounded', milliseconds },
  consistency: {
    case: 'maxStaleness',
    value: { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1e6 },
  },
});

function freshnessOf(random: Random, { latest, told }: Recorded): Fresh {
  const choice = random.next();
  if (choice < 0.4 || (choice > 0.8 && latest.number < 0)) {
    return { freshness: { mode: 'full' }, consistency: { case: 'fullyConsistent', value: true } };
  }
  if (choice <= 0.8) return within(random.of([1, 20, 200, 2_000, longest]));
  // An earlier one may be met by what is remembered.
  const { number, text } = random.next() < 0.5 ? latest : random.of(told);
  return { freshness: { mode: 'revision', revision: number }, consistency: { case: 'atLeastRevision', value: text } };
}
