import type {
  DescMethod,
  DescMethodServerStreaming,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { ReadPlain } from '@touchstone/contracts/plain-reader';
import type { Act, Awaitable } from '@touchstone/core';
import type { ItemStatus } from '../errors/item-status.ts';

/** What a handler knows of its call: nothing of the transport that brought it. */
export interface CallContext {
  readonly act: Act;
  /** Whether the request, and each message in it, is known to keep the rules of its fields: it was plain. */
  readonly isPlain: boolean;
  /** What an item of a batch is answered with where it failed; a fault of ours is logged. */
  toStatus(error: unknown): ItemStatus;
  /**
   * Asks again who calls, and whether they may still call this: whoever tells something later than at once, asks first.
   * @returns the act, with the rights of now.
   * @throws CallerUnknown, CallerNotAllowed, Fenced, StoreUnavailable, Overloaded
   */
  requireStillAllowed(): Promise<Act>;
}

/** A response, or its bytes, where making the message first would cost more than all the rest. */
export type Response<Method extends DescMethod> = MessageInitShape<Method['output']> | Uint8Array;

/** Carries out one RPC: turns the request into a command, and the result into a response. */
export type UnaryHandler<Method extends DescMethod> = (
  request: MessageShape<Method['input']>,
  call: CallContext,
) => Awaitable<Response<Method>>;

/** Carries out one RPC that is answered bit by bit. What it waits for must end when the caller has gone. */
export type StreamHandler<Method extends DescMethod> = (
  request: MessageShape<Method['input']>,
  call: CallContext,
) => AsyncGenerator<MessageInitShape<Method['output']>>;

export type Handler<Method extends DescMethod> = UnaryHandler<Method> | StreamHandler<Method>;

/** A handler for each method of a service: a missing one does not compile. */
export type Handlers<Service extends DescService> = {
  readonly [Name in keyof Service['method']]: Service['method'][Name] extends DescMethodServerStreaming
    ? StreamHandler<Service['method'][Name]>
    : UnaryHandler<Service['method'][Name]>;
};

/** Hears of a call that fails before its handler is reached, though it is known who calls. */
export type Refused = (act: Act, error: unknown) => Promise<void>;

/** What an RPC is served by. */
export interface Served {
  readonly handle: Handler<DescMethod>;
  readonly refused?: Refused | undefined;
  readonly readPlain?: ReadPlain<DescMethod> | undefined;
}

/** A service with what serves its RPCs, by their local names: to be mounted on every transport. */
export interface Route {
  readonly service: DescService;
  readonly served: Readonly<Record<string, Served>>;
}

/** Puts a service together with its handlers, with who hears of its methods' refusals, and with what reads plain requests. */
export function route<Service extends DescService>(
  service: Service,
  handlers: Handlers<Service>,
  {
    refused = {},
    plain = {},
  }: {
    readonly refused?: { readonly [Name in keyof Service['method']]?: Refused };
    readonly plain?: { readonly [Name in keyof Service['method']]?: ReadPlain<Service['method'][Name]> };
  } = {},
): Route {
  const served = Object.entries<unknown>(handlers).map(([name, handle]) => [
    name,
    { handle, refused: refused[name], readPlain: plain[name] },
  ]);
  return { service, served: Object.fromEntries(served) };
}
