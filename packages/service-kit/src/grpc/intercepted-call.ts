import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import type { Endpoint } from '../call/pipeline.ts';
import { AdmittingListener } from './admission.ts';

/**
 * What grpc-js does otherwise for us. Who calls is found out before anything of a message is read, and the status of a unary
 * call follows its message at once: by itself grpc-js sends it once the message has been written, which costs each call one
 * more turn of the event loop. Streams go on waiting: that is what slows down a quick sender.
 *
 * @param endpointOf what serves a path; undefined: something that anybody may call.
 */
export const intercepting =
  (endpointOf: (path: string) => Endpoint | undefined): ServerInterceptor =>
  ({ path, responseStream }, call) =>
    responseStream ? new StreamedCall(call, endpointOf(path)) : new PromptCall(call, endpointOf(path));

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

const admittingListener = (
  call: ServerInterceptingCallInterface,
  endpoint: Endpoint | undefined,
  listener: Listener,
): Listener => (endpoint ? new AdmittingListener(call, endpoint, listener) : listener);

class StreamedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint | undefined;

  constructor(call: ServerInterceptingCallInterface, endpoint: Endpoint | undefined) {
    super(call);
    this.#call = call;
    this.#endpoint = endpoint;
  }

  override start(listener: Listener): void {
    super.start(admittingListener(this.#call, this.#endpoint, listener));
  }
}

/** Passes everything on as it is: what the class it extends does around that costs as much as a small handler. */
class PromptCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint | undefined;

  constructor(call: ServerInterceptingCallInterface, endpoint: Endpoint | undefined) {
    super(call);
    this.#call = call;
    this.#endpoint = endpoint;
  }

  override start(listener: Listener): void {
    this.#call.start(admittingListener(this.#call, this.#endpoint, listener));
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, ignored);
    callback();
  }

  override sendStatus(status: Status): void {
    this.#call.sendStatus(status);
  }
}

const ignored = () => {};
