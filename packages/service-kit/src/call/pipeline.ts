import {
  create,
  type DescMethod,
  fromBinary,
  getOption,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { caller_scopes } from '@touchstone/contracts';
import {
  type Act,
  type Authenticate,
  type Awaitable,
  andThen,
  type Caller,
  CallerNotAllowed,
  CallerUnknown,
  Cancelled,
  type CertifiedClient,
  DeadlineExceeded,
  lastingScopes,
  Overloaded,
  type ShownCertificate,
  StoreUnavailable,
  type TouchstoneError,
} from '@touchstone/core';
import { itemStatusOf } from '../errors/item-status.ts';
import { asTouchstoneError } from '../errors/status-table.ts';
import type { CallEvents } from '../telemetry/call-events.ts';
import { validateMessage } from './field-rules.ts';
import type { CallContext, Served, StreamHandler, UnaryHandler } from './handler.ts';
import { NoMessage } from './no-message.ts';
import { traceIdOf } from './trace-id.ts';

/** What a transport tells of a call. */
export interface IncomingCall {
  readonly peer: string;
  /** Milliseconds since 1970; infinity: none. */
  readonly deadline: number;
  /** Metadata by its name in lower case. */
  header(name: string): string | undefined;
  /** The client's certificate, where the connection has one that was verified. */
  certificate(): ShownCertificate | null;
  /** Calls the listener when the caller has gone. */
  onCancel(listener: () => void): void;
  /** Whether so many bytes of an answer may be kept until the caller has taken them. */
  keepAnswer(caller: Caller, bytes: number): boolean;
}

/** A call whose caller has a right to it. */
export interface Admitted {
  readonly call: IncomingCall;
  readonly caller: Caller;
  readonly traceId: string;
  readonly started: number;
  /** A plain flag: an AbortController costs more than the rest of the pipeline. */
  readonly signal: { aborted: boolean; tell(): void };
}

/** One RPC, from the call that came to the bytes of the response, whatever transport they travel on. */
export interface Endpoint {
  /**
   * Finds out who calls, and whether it may: nothing has been read of the message by then. At once, where nobody need be
   * asked for it.
   */
  admit(call: IncomingCall): Awaitable<Admitted>;
  /** For unary RPCs: at once, where the handler answers so. @throws TouchstoneError, in either way. */
  answer(admitted: Admitted, request: IncomingRequest): Awaitable<Uint8Array>;
  /**
   * Tells of a call that ended before it could be handled. @param error how; absent: the transport ended it.
   * @returns whether that has been heard of by all who must hear of it before the caller does.
   */
  turnAway(admitted: Admitted, error?: TouchstoneError): Promise<boolean>;
  /** For RPCs that are answered bit by bit. */
  stream(admitted: Admitted, request: IncomingRequest): AsyncGenerator<Uint8Array>;
}

/** A request as it came, or its message where the transport has read it. */
export type IncomingRequest = Uint8Array | Message;

/** How long a caller is taken for who it was. */
const admissionMilliseconds = 1_000;

export interface PipelineOptions {
  /** Null while the service is not ready. */
  readonly authenticate: () => Authenticate | null;
  readonly events: CallEvents;
  /** Aborts when the service is to stop: streams end then. */
  readonly stopping?: AbortSignal;
}

/**
 * The order is the same for every RPC: deadline, caller, its right to the RPC, message, field rules, handler, log.
 *
 * @param served gives null while the service is not ready.
 */
export function endpoint<Method extends DescMethod>(
  method: Method,
  served: () => Served | null,
  { authenticate, events, stopping }: PipelineOptions,
): Endpoint {
  const scopes = getOption(method, caller_scopes);
  const isLasting = scopes.every((scope) => lastingScopes.includes(scope));
  // Rules are compiled at their first use: better now than in the first call.
  validateMessage(method.input, create(method.input));
  const name = `${method.parent.typeName}/${method.name}`;

  const recordOf = ({ call, caller, traceId, started }: Begun) => ({
    method: name,
    peer: call.peer,
    traceId,
    caller,
    endedAt: Date.now(),
    milliseconds: performance.now() - started,
  });
  const failed = (begun: Begun, thrown: unknown): TouchstoneError => {
    const error = asTouchstoneError(thrown, begun.traceId);
    events.failed(recordOf(begun), error);
    return error;
  };
  /** For a call that reaches no handler. A refusal is heard of before its caller is told, or it is a failure of ours. */
  const turnAway = async (begun: Begun, thrown: unknown): Promise<never> => {
    try {
      if (begun.caller) await served()?.refused?.(actOf({ ...begun, caller: begun.caller }), thrown);
    } catch (error) {
      throw failed(begun, error);
    }
    throw failed(begun, thrown);
  };
  const requireMessage = (request: IncomingRequest, readPlain: Served['readPlain']): Omit<Accepted, 'admitted'> => {
    const isRead = !(request instanceof Uint8Array);
    const plain = isRead ? null : readPlain?.(request);
    if (plain) return { message: plain, isPlain: true };
    const message = isRead ? request : decode(method, request);
    const invalid = validateMessage(method.input, message);
    if (invalid) throw invalid;
    return { message, isPlain: false };
  };
  /** What a batch's items are answered with goes past the pipeline: a fault in one must not go past the log. */
  const toStatusIn = (admitted: Admitted) => (thrown: unknown) => {
    const error = asTouchstoneError(thrown, admitted.traceId);
    if (error.code === 'internal') events.itemFaulted(recordOf(admitted), error);
    return itemStatusOf(error);
  };

  /** As it is admitted now, or no more. */
  const stillAdmitted = async (admitted: Admitted): Promise<Admitted> => {
    const caller = await callerOf(admitted.call, authenticate(), admitted.caller, isLasting);
    requireOneOf(scopes, caller);
    return { ...admitted, caller };
  };
  const contextOf = ({ admitted, isPlain }: Accepted): CallContext => ({
    act: actOf(admitted),
    isPlain,
    toStatus: toStatusIn(admitted),
    requireStillAllowed: async () => actOf(await stillAdmitted(admitted)),
  });
  const encode = (response: unknown): Uint8Array =>
    response instanceof Uint8Array
      ? response
      : toBinary(method.output, create(method.output, response as MessageInitShape<Method['output']>));

  /** At once, where nobody need be asked again who calls. */
  function accept(admitted: Admitted, request: IncomingRequest, { readPlain }: Served): Awaitable<Accepted> {
    const askedAgain = async (accepted: Accepted): Promise<Accepted> => {
      const now = await stillAdmitted(admitted);
      requireWanted(now);
      return { ...accepted, admitted: now };
    };
    try {
      const accepted = { ...requireMessage(request, readPlain), admitted };
      requireWanted(admitted);
      // Messages can come slowly: who may call now is not who could when the call began.
      const isLate = performance.now() - admitted.started > admissionMilliseconds;
      return isLate || isLasting ? askedAgain(accepted).catch((error) => turnAway(admitted, error)) : accepted;
    } catch (error) {
      return turnAway(admitted, error);
    }
  }

  function respond(accepted: Accepted, handle: UnaryHandler<DescMethod>): Awaitable<Uint8Array> {
    const { message, admitted } = accepted;
    const respondWith = (response: unknown): Uint8Array => {
      const bytes = encode(response);
      if (!admitted.call.keepAnswer(admitted.caller, bytes.length)) throw new Overloaded();
      events.answered(recordOf(admitted));
      return bytes;
    };
    try {
      const work = handle(message, contextOf(accepted));
      if (!(work instanceof Promise)) return respondWith(work);
      return whileWaited(work, admitted)
        .then(respondWith)
        .catch((error) => {
          throw failed(admitted, error);
        });
    } catch (error) {
      throw failed(admitted, error);
    }
  }

  return {
    admit(call) {
      const signal = { aborted: false, tell: nobody };
      const traceId = traceIdOf(call.header('traceparent'));
      const begun = { call, caller: null as Caller | null, traceId, started: performance.now(), signal };
      call.onCancel(() => {
        signal.aborted = true;
        signal.tell();
      });
      const admitted = (caller: Caller): Admitted => {
        begun.caller = caller;
        requireOneOf(scopes, caller);
        return begun as Admitted;
      };
      try {
        requireTime(call);
        const caller = callerOf(call, authenticate());
        return caller instanceof Promise
          ? caller.then(admitted).catch((error) => turnAway(begun, error))
          : admitted(caller);
      } catch (error) {
        return turnAway(begun, error);
      }
    },

    answer(admitted, request) {
      const serving = served();
      if (!serving) throw failed(admitted, notReady());
      const handle = serving.handle as UnaryHandler<DescMethod>;
      return andThen(accept(admitted, request, serving), (accepted) => respond(accepted, handle));
    },

    turnAway: (admitted, error = endingOf(admitted.call)) => turnAway(admitted, error).catch((told) => told === error),

    async *stream(first, request) {
      const serving = served();
      if (!serving) throw failed(first, notReady());
      const handle = serving.handle as StreamHandler<DescMethod>;
      const accepted = await accept(first, request, serving);
      const { message, admitted } = accepted;
      const answers = handle(message, contextOf(accepted));
      try {
        for (;;) {
          const next = await untilStopped(whileWaited(answers.next(), admitted), stopping);
          if (next.done) break;
          yield encode(next.value);
        }
        events.answered(recordOf(admitted));
      } catch (error) {
        throw failed(admitted, error);
      } finally {
        // It may be waiting for something still; nobody waits for it.
        answers.return(undefined).catch(() => {});
      }
    },
  };
}

/** A stream can be taken up again elsewhere. */
async function untilStopped<Result>(work: Promise<Result>, stopping: AbortSignal | undefined): Promise<Result> {
  if (!stopping) return work;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new StoreUnavailable(new Error('the service is stopping')));
  if (stopping.aborted) stop();
  stopping.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stopping.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}

/** A request that its handler may be given. */
interface Accepted extends Pick<CallContext, 'isPlain'> {
  readonly message: Message;
  /** By whom it is now. */
  readonly admitted: Admitted;
}

function decode({ input }: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(input, bytes);
  } catch {
    throw new NoMessage();
  }
}

/** A call of which the caller may not be known yet. */
type Begun = Omit<Admitted, 'caller'> & { readonly caller: Caller | null };

const actOf = ({ call, caller, traceId, signal }: Admitted): Act => ({ caller, peer: call.peer, traceId, signal });

const nobody = () => {};

const notReady = () => new StoreUnavailable(new Error('the service is not ready'));

/**
 * Credentials and assertions come as bearer tokens (RFC 6750 section 2.1). A call without one is by the client that it names,
 * if the connection's certificate shows that.
 * @param admitted whom the call was admitted for, where it was.
 * @param isLasting as Authenticate's.
 */
function callerOf(
  call: IncomingCall,
  authenticate: Authenticate | null,
  admitted?: Caller,
  isLasting?: boolean,
): Awaitable<Caller> {
  if (!authenticate) throw notReady();
  const authorization = call.header('authorization');
  if (authorization === undefined) return authenticate(certifiedClientOf(call), admitted, isLasting);
  if (authorization.slice(0, 7).toLowerCase() !== 'bearer ') throw new CallerUnknown();
  return authenticate(authorization.slice(7), admitted, isLasting);
}

function certifiedClientOf(call: IncomingCall): CertifiedClient {
  const client = call.header('touchstone-client');
  const certificate = client === undefined ? null : call.certificate();
  if (client === undefined || !certificate) throw new CallerUnknown();
  return { client, certificate };
}

function requireTime({ deadline }: IncomingCall): void {
  if (deadline <= Date.now()) throw new DeadlineExceeded();
}

/** Somebody waits for the answer still. */
function requireWanted({ call, signal }: Admitted): void {
  requireTime(call);
  if (signal.aborted) throw new Cancelled();
}

function requireOneOf(scopes: readonly string[], caller: Caller): void {
  if (scopes.some((scope) => caller.scopes.includes(scope))) return;
  throw new CallerNotAllowed(`this takes a credential with one of the scopes: ${scopes.join(', ')}`);
}

/** Transports end late calls as they end those whose caller has gone; their timers can be a millisecond early. */
const endingOf = ({ deadline }: IncomingCall): TouchstoneError =>
  deadline <= Date.now() + 1 ? new DeadlineExceeded() : new Cancelled();

/** The caller is answered when it has gone or its time is up, also while the work still goes on. */
function whileWaited<Result>(work: Promise<Result>, { call, signal }: Admitted): Promise<Result> {
  return new Promise((resolve, reject) => {
    // Transports tell of every call that it has ended, answered or not: an error is made only where it is wanted.
    let isOver = false;
    signal.tell = () => {
      if (!isOver) reject(endingOf(call));
    };
    work.then(
      (result) => {
        isOver = true;
        resolve(result);
      },
      (error) => {
        isOver = true;
        reject(error);
      },
    );
  });
}
