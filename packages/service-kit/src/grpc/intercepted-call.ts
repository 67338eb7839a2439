import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type StatusObject,
} from '@grpc/grpc-js';
import { type Admitting, AdmittingListener, type CallListener } from './admission.ts';

/** Bytes: what anybody may ask of health and reflection is a name. */
const openMessageBytesMax = 1_024;

/**
 * Has calls let in before anything of their messages is read, and the status of a unary call follow its message at once. By
 * itself grpc-js sends it once the message has been written, which costs each call one more turn of the event loop. Streams
 * go on waiting: that is what slows down a quick sender.
 *
 * @param admittingAt what lets in the calls of a path; undefined: anybody may make them.
 */
export const intercepting =
  (admittingAt: (path: string) => Admitting | undefined): ServerInterceptor =>
  ({ path, responseStream }, call) => {
    const admitting = admittingAt(path);
    if (!admitting) limitMessages(call);
    return responseStream ? new InterceptedCall(call, admitting) : new PromptCall(call, admitting);
  };

/** grpc-js has one limit for all methods of a server, which it keeps in each call. */
function limitMessages(call: ServerInterceptingCallInterface): void {
  const limited = call as unknown as { maxReceiveMessageSize: number; decoder: { maxReadMessageLength: number } };
  limited.maxReceiveMessageSize = openMessageBytesMax;
  limited.decoder.maxReadMessageLength = openMessageBytesMax;
}

class InterceptedCall extends ServerInterceptingCall {
  protected readonly call: ServerInterceptingCallInterface;
  readonly #admitting: Admitting | undefined;

  constructor(call: ServerInterceptingCallInterface, admitting: Admitting | undefined) {
    super(call);
    this.call = call;
    this.#admitting = admitting;
  }

  override start(listener: CallListener): void {
    this.call.start(this.#admitting ? new AdmittingListener(this.call, this.#admitting, listener) : listener);
  }
}

/** Passes everything on as it is: what grpc-js's own class does around that costs as much as a small handler. */
class PromptCall extends InterceptedCall {
  override sendMessage(message: unknown, callback: () => void): void {
    this.call.sendMessage(message, ignored);
    callback();
  }

  override sendStatus(status: StatusObject): void {
    this.call.sendStatus(status);
  }
}

const ignored = () => {};
