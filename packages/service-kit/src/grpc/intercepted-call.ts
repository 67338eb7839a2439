import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type StatusObject,
} from '@grpc/grpc-js';
import { type Admitting, AdmittingListener } from './admission.ts';
import { baseOf } from './base-call.ts';
import { type CallListener, EndingListener } from './ending-listener.ts';
import { ignored, UnaryListener } from './unary-listener.ts';

/** Bytes: what anybody may ask of health and reflection is a name. */
const openMessageBytesMax = 1_024;

/**
 * Has calls let in before anything of their messages is read, ended where their other side does nothing, and the status of a
 * unary call follow its message at once: those that anybody may make are answered by handlers of grpc-js, which by itself sends
 * it once the message has been written, one turn of the event loop later. Streams go on waiting: that is what slows down a quick
 * sender.
 *
 * @param admittingAt what lets in the calls of a path; undefined: anybody may make them.
 */
export const intercepting =
  (admittingAt: (path: string) => Admitting | undefined): ServerInterceptor =>
  ({ path, requestStream, responseStream }, call) => {
    const admitting = admittingAt(path);
    if (!admitting) limitMessages(call);
    const listening = (listener: CallListener) => {
      if (!admitting) return new EndingListener(call, requestStream, listener);
      const answering = responseStream ? listener : new UnaryListener(call, admitting.endpoint);
      return new AdmittingListener(call, admitting, answering);
    };
    return responseStream ? new InterceptedCall(call, listening) : new PromptCall(call, listening);
  };

/** grpc-js has one limit for all methods of a server, which it keeps in each call. */
function limitMessages(call: ServerInterceptingCallInterface): void {
  const limited = baseOf(call);
  limited.maxReceiveMessageSize = openMessageBytesMax;
  limited.decoder.maxReadMessageLength = openMessageBytesMax;
}

class InterceptedCall extends ServerInterceptingCall {
  protected readonly call: ServerInterceptingCallInterface;
  readonly #listening: (listener: CallListener) => CallListener;

  constructor(call: ServerInterceptingCallInterface, listening: (listener: CallListener) => CallListener) {
    super(call);
    this.call = call;
    this.#listening = listening;
  }

  override start(listener: CallListener): void {
    this.call.start(this.#listening(listener));
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
