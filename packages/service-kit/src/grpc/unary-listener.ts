import { type Metadata, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import type { Admitted, Endpoint } from '../call/pipeline.ts';
import type { AdmittedMetadata } from './admission.ts';
import { baseOf } from './base-call.ts';
import type { CallListener } from './ending-listener.ts';
import { statusOf } from './status.ts';

const headers = { ':status': 200, 'content-type': 'application/grpc+proto' };
const headerOptions = { waitForTrailers: true, sendDate: false };
const ok = { code: status.OK, details: 'OK', metadata: null };
/** That it has been written. */
export const ignored = (): void => {};

/**
 * Has an endpoint answer a unary call once all of its message is there. What grpc-js does for that by itself - a stream for each
 * call, and headers that say what goes without saying - costs as much as a small handler.
 */
export class UnaryListener implements CallListener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint;
  /** There before any message is. */
  #admitted!: Admitted;
  #message: Buffer | null = null;

  constructor(call: ServerInterceptingCallInterface, endpoint: Endpoint) {
    this.#call = call;
    this.#endpoint = endpoint;
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#admitted = (metadata as AdmittedMetadata).admitted;
    this.#call.startRead();
  }

  onReceiveMessage(message: Buffer): void {
    if (this.#message) {
      this.#call.sendStatus({ code: status.UNIMPLEMENTED, details: 'a second message came', metadata: null });
      return;
    }
    this.#message = message;
    this.#call.startRead();
  }

  onReceiveHalfClose(): void {
    if (!this.#message) {
      this.#call.sendStatus({ code: status.UNIMPLEMENTED, details: 'no message came', metadata: null });
      return;
    }
    try {
      const answering = this.#endpoint.answer(this.#admitted, this.#message);
      if (answering instanceof Promise) void this.#settle(answering);
      else this.#send(answering);
    } catch (error) {
      this.#call.sendStatus(statusOf(error));
    }
  }

  onCancel(): void {}

  async #settle(answering: Promise<Uint8Array>): Promise<void> {
    try {
      this.#send(await answering);
    } catch (error) {
      this.#call.sendStatus(statusOf(error));
    }
  }

  /** The status follows at once. By itself grpc-js sends it once the message has been written, one turn of the event loop later. */
  #send(answer: Uint8Array): void {
    const base = baseOf(this.#call);
    if (base.checkCancelled()) return;
    base.metadataSent = true;
    base.stream.respond(headers, headerOptions);
    this.#call.sendMessage(answer, ignored);
    this.#call.sendStatus(ok);
  }
}
