import { randomBytes } from 'node:crypto';
import {
  create,
  type DescMethodUnary,
  getOption,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { caller_scopes } from '@touchstone/contracts';
import {
  type Act,
  type Authenticate,
  type Caller,
  CallerNotAllowed,
  CallerUnknown,
  Cancelled,
  DeadlineExceeded,
  StoreUnavailable,
} from '@touchstone/core';
import { asTouchstoneError } from '../errors/status-table.ts';
import type { CallEvents } from '../telemetry/call-events.ts';
import { validateMessage } from './field-rules.ts';
import type { UnaryHandler } from './handler.ts';

/** What a transport tells of a call. */
export interface IncomingCall {
  readonly peer: string;
  /** Milliseconds since 1970; infinity: none. */
  readonly deadline: number;
  /** Metadata by its name in lower case. */
  header(name: string): string | undefined;
  /** Calls the listener when the caller has gone. */
  onCancel(listener: () => void): void;
}

/** One RPC, from the message that came to the message that goes, whatever transport they travel on. */
export type Endpoint = (request: Message, call: IncomingCall) => Promise<Message>;

/** A longer timer would fire at once. */
const timerMillisecondsMax = 2 ** 31 - 1;

export interface PipelineOptions {
  /** Null while the service is not ready. */
  readonly authenticate: () => Authenticate | null;
  readonly events: CallEvents;
}

/**
 * The order is the same for every RPC: deadline, caller, its right to the RPC, field rules, handler, log.
 *
 * @param handler gives null while the service is not ready.
 */
export function endpoint<Method extends DescMethodUnary>(
  method: Method,
  handler: () => UnaryHandler<DescMethodUnary> | null,
  { authenticate, events }: PipelineOptions,
): Endpoint {
  const scopes = getOption(method, caller_scopes);
  // Rules are compiled at their first use: better now than in the first call.
  validateMessage(method.input, create(method.input));
  const name = `${method.parent.typeName}/${method.name}`;

  async function carryOut(
    request: MessageShape<Method['input']>,
    call: IncomingCall,
    traceId: string,
  ): Promise<Handled> {
    requireTime(call);
    const caller = await callerOf(call, authenticate());
    requireOneOf(scopes, caller);
    const handle = handler();
    if (!handle) throw notReady();
    const invalid = validateMessage(method.input, request);
    if (invalid) throw new CallFailed(invalid, caller);
    requireTime(call);
    // A plain flag: an AbortController costs more than the rest of this function.
    const signal = { aborted: false };
    const act: Act = { caller, peer: call.peer, traceId, signal };
    try {
      const response = await withinDeadline(handle(request, { act }), call, signal);
      return { caller, response: create(method.output, response as MessageInitShape<Method['output']>) };
    } catch (error) {
      throw new CallFailed(error, caller);
    }
  }

  return async (request, call) => {
    const started = performance.now();
    const traceId = traceIdOf(call.header('traceparent'));
    try {
      const { caller, response } = await carryOut(request as MessageShape<Method['input']>, call, traceId);
      events.answered({ method: name, peer: call.peer, traceId, caller, milliseconds: performance.now() - started });
      return response;
    } catch (failure) {
      const [cause, caller] = failure instanceof CallFailed ? [failure.error, failure.caller] : [failure, null];
      const error = asTouchstoneError(cause);
      events.failed(
        { method: name, peer: call.peer, traceId, caller, milliseconds: performance.now() - started },
        error,
      );
      throw error;
    }
  };
}

const notReady = () => new StoreUnavailable(new Error('the service is not ready'));

interface Handled {
  readonly caller: Caller;
  readonly response: Message;
}

/** An error of a call whose caller is known, so that the log can name it. */
class CallFailed {
  readonly error: unknown;
  readonly caller: Caller;
  constructor(error: unknown, caller: Caller) {
    this.error = error;
    this.caller = caller;
  }
}

/** Credentials come as bearer tokens (RFC 6750 section 2.1). Other ways to authenticate are chosen here. */
async function callerOf(call: IncomingCall, authenticate: Authenticate | null): Promise<Caller> {
  if (!authenticate) throw notReady();
  const authorization = call.header('authorization');
  if (authorization?.slice(0, 7).toLowerCase() !== 'bearer ') throw new CallerUnknown();
  return authenticate(authorization.slice(7));
}

function requireTime({ deadline }: IncomingCall): void {
  if (deadline <= Date.now()) throw new DeadlineExceeded();
}

function requireOneOf(scopes: readonly string[], caller: Caller): void {
  if (scopes.some((scope) => caller.scopes.includes(scope))) return;
  throw new CallFailed(
    new CallerNotAllowed(`this takes a credential with one of the scopes: ${scopes.join(', ')}`),
    caller,
  );
}

/** The caller is answered when its time is up, also while the work still goes on. */
function withinDeadline<Result>(
  work: Promise<Result>,
  call: IncomingCall,
  signal: { aborted: boolean },
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    // gRPC tells of every call that it has ended, answered or not: an error is made only where it is wanted.
    const end = (Failure: typeof DeadlineExceeded | typeof Cancelled) => {
      if (isOver) return;
      signal.aborted = true;
      reject(new Failure());
    };
    if (call.deadline < Number.POSITIVE_INFINITY) {
      const milliseconds = Math.min(Math.max(call.deadline - Date.now(), 0), timerMillisecondsMax);
      timer = setTimeout(() => end(DeadlineExceeded), milliseconds);
    }
    call.onCancel(() => end(Cancelled));
    const over = () => {
      isOver = true;
      clearTimeout(timer);
    };
    work.then(
      (result) => {
        over();
        resolve(result);
      },
      (error) => {
        over();
        reject(error);
      },
    );
  });
}

/** Of the caller's trace (W3C Trace Context), or a new one. */
function traceIdOf(traceparent: string | undefined): string {
  const given = traceparent && /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1];
  return given || randomHex();
}

let pool = Buffer.alloc(0);
let used = 0;

/** Random bytes are drawn many at a time: each draw costs more than the bytes do. */
function randomHex(): string {
  if (used >= pool.length) {
    pool = randomBytes(4_096);
    used = 0;
  }
  used += 16;
  return pool.toString('hex', used - 16, used);
}
