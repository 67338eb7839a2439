import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';

/**
 * The status of a unary call follows its message at once. By itself grpc-js sends it once the message has been written,
 * which costs each call one more turn of the event loop. Streams go on waiting: that is what slows down a quick sender.
 */
export const promptStatus: ServerInterceptor = ({ responseStream }, call) =>
  responseStream ? new ServerInterceptingCall(call) : new PromptCall(call);

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** Passes everything on as it is: what the class it extends does around that costs as much as a small handler. */
class PromptCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;

  constructor(call: ServerInterceptingCallInterface) {
    super(call);
    this.#call = call;
  }

  override start(listener: Listener): void {
    this.#call.start(listener);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, ignored);
    callback();
  }

  override sendStatus(status: Status): void {
    this.#call.sendStatus(status);
  }

  /** What the connection was when the call came: asking the socket costs more. */
  override getPeer(): string {
    const { remoteAddress, remotePort } = this.#call.getConnectionInfo();
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }
}

const ignored = () => {};
