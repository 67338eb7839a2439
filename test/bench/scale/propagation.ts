import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  IssuerService,
  RevocationService,
  ValidateTokenRequestSchema,
  ValidateTokenResponseSchema,
} from '@touchstone/contracts';
import { clientOf, freePair, type Stack } from '@touchstone/local-stack';
import pg from 'pg';
import { openRawClient } from '../../e2e/support-grpc.ts';
import { WrongAnswer } from '../checks.ts';
import { issueRequest, validateRequest } from '../loads.ts';
import { type Bench, median, percentile } from '../measure.ts';
import { revokeAllRequest } from '../revoke-all.ts';

/** How long after a revocation has returned the last of the validators refuses from what it remembers. */
export interface Propagation {
  /** How the validators learn of it. */
  readonly by: string;
  readonly call: RevokingCall;
  readonly validators: number;
  readonly revocations: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
  /** Fully consistent validations begun right after the return, and those of them that honoured the token. */
  readonly asked: number;
  readonly wrong: number;
}

const revokingCalls = ['RevokeToken', 'RevokeTokens(all)'] as const;
type RevokingCall = (typeof revokingCalls)[number];

const validatorsCount = 8;
/** Between an answer and the next question to the same validator. */
const pauseMilliseconds = 3;
/** A validator that has not refused by then is broken. */
const patienceMilliseconds = 30_000;
/** Generous: the revocation must come to the validator, not the validator to the database. */
const remembered = { requirement: { case: 'maxStaleness', value: { seconds: 60n, nanos: 0 } } } as const;

interface Options {
  readonly by: string;
  readonly revocations: number;
  /** Ends the connections on which the validators listen to Postgres, so that what is left is Kafka. */
  readonly withoutNotifications?: boolean;
}

/** As many validators as are measured, the stack's own among them, at the end of the block one again. */
export async function openValidators(stack: Stack): Promise<readonly Validator[] & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const { validator } = stack.services;
  const others = [];
  for (let count = 1; count < validatorsCount; count++) {
    others.push(opening.use(await stack.startAnother('validator', await freePair())));
  }
  await Promise.all(others.map((one) => one.untilReady()));
  const opened = [validator, ...others].map(({ grpc }) => opening.use(openValidator(grpc, stack.demo)));
  const resources = opening.move();
  return Object.assign(opened, { [Symbol.asyncDispose]: () => resources.disposeAsync() });
}

/** Revokes token after token, by each of the calls, and watches the validators. @throws WrongAnswer */
export async function measurePropagation(
  { signal, onProgress }: Pick<Bench, 'signal' | 'onProgress'>,
  stack: Stack,
  validators: readonly Validator[],
  { by, revocations, withoutNotifications = false }: Options,
): Promise<Propagation[]> {
  const measured: Propagation[] = [];
  for (const call of revokingCalls) {
    onProgress(`${call} to ${validators.length} validators, ${by} ...`);
    await using trial = await openTrial(stack, call, withoutNotifications);
    const delays: number[] = [];
    let wrong = 0;
    for (let round = 0; round < revocations; round++) {
      signal.throwIfAborted();
      const { token, returnedAt } = await trial.revokeRemembered(validators);
      await Promise.all(validators.map((validator) => untilRefused(validator, token)));
      delays.push(performance.now() - returnedAt);
      // Another token: a validator that has asked the database need not be told.
      const other = await trial.revokeRemembered(validators);
      const honoured = await Promise.all(validators.map((validator) => validator(other.token)));
      wrong += honoured.filter(Boolean).length;
    }
    const sorted = delays.toSorted((a, b) => a - b);
    measured.push({
      by,
      call,
      validators: validators.length,
      revocations,
      median: median(sorted),
      p99: percentile(sorted, 0.99),
      longest: percentile(sorted, 1),
      asked: revocations * validators.length,
      wrong,
    });
  }
  return measured;
}

/** Whether a validator honours a token; it may answer from what it remembers, or must be consistent. */
type Validator = ((token: string, consistency?: Consistency) => Promise<boolean>) & Disposable;
type Consistency = MessageInitShape<typeof ValidateTokenRequestSchema>['consistency'];

/** Costs little, so that what asks does not get in the way of what is asked. */
function openValidator(grpc: string, demo: Stack['demo']): Validator {
  const client = openRawClient(grpc);
  const headers = { authorization: `Bearer ${demo.resourceServerToken}` };
  const validate = async (token: string, consistency?: Consistency) => {
    const request = create(ValidateTokenRequestSchema, {
      ...validateRequest(demo, token),
      ...(consistency ? { consistency } : {}),
    });
    const bytes = Buffer.from(toBinary(ValidateTokenRequestSchema, request));
    const answer = await client.unary('/touchstone.v1.ValidatorService/ValidateToken', bytes, headers);
    return fromBinary(ValidateTokenResponseSchema, answer).active;
  };
  return Object.assign(validate, { [Symbol.dispose]: () => client[Symbol.dispose]() });
}

async function untilRefused(validator: Validator, token: string): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  while (await validator(token, remembered)) {
    if (Date.now() > deadline) throw new WrongAnswer('a validator does not hear of a revocation');
    await sleep(pauseMilliseconds);
  }
}

interface Trial extends AsyncDisposable {
  /** Revokes a token that each of the validators has just honoured and remembers. */
  revokeRemembered(validators: readonly Validator[]): Promise<{ readonly token: string; readonly returnedAt: number }>;
}

async function openTrial(
  { demo, services, postgres }: Stack,
  call: RevokingCall,
  withoutNotifications: boolean,
): Promise<Trial> {
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const revocation = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  const admin = new pg.Client({ connectionString: postgres.adminUrl });
  await admin.connect();
  let user = 0;
  return {
    async revokeRemembered(validators) {
      user += 1;
      const { token } = await issuer.issueToken(issueRequest(demo, user));
      const honoured = await Promise.all(validators.map((validator) => validator(token, remembered)));
      if (honoured.includes(false)) throw new WrongAnswer('a token that was just issued was refused');
      if (withoutNotifications) await admin.query(endListening);
      if (call === 'RevokeTokens(all)') await revocation.revokeTokens(revokeAllRequest());
      else await revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'bench' });
      return { token, returnedAt: performance.now() };
    },
    [Symbol.asyncDispose]: () => admin.end(),
  };
}

const endListening = `
  select pg_terminate_backend(pid) from pg_stat_activity
   where application_name = 'touchstone validator' and query ilike 'listen %'`;
