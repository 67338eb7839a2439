import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { DeadlineExceeded } from '@touchstone/core';
import { baseOf } from './base-call.ts';
import { statusOf } from './status.ts';

/** What a call is told of. */
export type CallListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** Milliseconds in which all of a message has to come; an answer has to be taken within twice as many. */
const turnMilliseconds = 30_000;

/**
 * Sees to it that a call ends, and its stream with it. By itself grpc-js waits for as long as the connection lasts: for a message,
 * for an answer to be taken, and after its end for a client to say that it has sent all; and keeps what has come, and the answer.
 */
export class EndingListener implements CallListener {
  protected readonly call: ServerInterceptingCallInterface;
  protected readonly stream: ServerHttp2Stream;
  protected readonly listener: CallListener;
  /** Whether it may send messages for as long as it wants. */
  readonly #isLasting: boolean;
  #hasSentAll = false;
  #wasUntaken = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(call: ServerInterceptingCallInterface, isLasting: boolean, listener: CallListener) {
    this.call = call;
    this.stream = baseOf(call).stream;
    this.#isLasting = isLasting;
    this.listener = listener;
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#timer = setTimeout(() => this.#look(), turnMilliseconds).unref();
    this.listener.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.listener.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.#hasSentAll = true;
    this.listener.onReceiveHalfClose();
  }

  /** grpc-js says so of every call, once, however it ended, and when the last of its answer has gone. */
  onCancel(): void {
    clearTimeout(this.#timer);
    // It ended late, and the answer is there still.
    if (this.stream.writableLength > 0) this.#cancel();
    // RFC 9113, section 8.1: the client is to stop sending. The end of what it sends can be on its way.
    else if (!this.#hasSentAll) setImmediate(() => this.stream.close(constants.NGHTTP2_NO_ERROR));
    this.listener.onCancel();
  }

  #look(): void {
    const isUntaken = this.stream.writableLength > 0;
    if (!this.#hasSentAll && !this.#isLasting) this.call.sendStatus(statusOf(new DeadlineExceeded()));
    else if (isUntaken && this.#wasUntaken) this.#cancel();
    else {
      this.#wasUntaken = isUntaken;
      this.#timer?.refresh();
    }
  }

  #cancel(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }
}
