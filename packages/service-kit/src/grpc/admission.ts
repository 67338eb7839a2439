import { Metadata, type ServerInterceptingCallInterface, type StatusObject } from '@grpc/grpc-js';
import { DeadlineExceeded, Overloaded, Shares, type ShownCertificate } from '@touchstone/core';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import { shownCertificate } from '../lifecycle/tls.ts';

/** What a call is told of. */
export type CallListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** How many calls there are, from their metadata to the last of their answers. */
export interface InFlight {
  count: number;
}

/** What lets a call in. */
export interface Admitting {
  readonly endpoint: Endpoint;
  readonly inFlight: InFlight;
}

/** The metadata of a call that was let in: its handler is told by it who calls. */
export interface AdmittedMetadata extends Metadata {
  admitted: Admitted;
}

/** Milliseconds in which a call that was let in has to send all of its message. */
const messageMilliseconds = 30_000;
/** A message from this size on counts towards what may be kept for a caller: bytes. */
const largeBytes = 16_384;
/** The most that is kept for a caller of messages whose end has not come: bytes. */
const keptBytesMax = 64 * 1_024 * 1_024;
const keptBytes = new Shares(keptBytesMax);

/**
 * Lets a call in, or ends it, by its metadata alone. A message would be unpacked and kept before its handler is called, and
 * anybody could send as many as there is memory. Who is let in can have some kept, and for some time.
 */
export class AdmittingListener implements CallListener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint;
  readonly #inFlight: InFlight;
  readonly #listener: CallListener;
  readonly #incoming: IncomingGrpcCall;
  /** Until its handler has it. */
  #letInAs: Admitted | null = null;
  #hasMessage = false;
  #keptBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(call: ServerInterceptingCallInterface, { endpoint, inFlight }: Admitting, listener: CallListener) {
    this.#call = call;
    this.#endpoint = endpoint;
    this.#inFlight = inFlight;
    this.#listener = listener;
    this.#incoming = new IncomingGrpcCall(call);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#inFlight.count++;
    this.#incoming.metadata = metadata;
    try {
      const admitting = this.#endpoint.admit(this.#incoming);
      if (admitting instanceof Promise) void this.#settle(admitting, metadata);
      else this.#letIn(admitting, metadata);
    } catch (error) {
      this.#call.sendStatus(statusOf(error));
    }
  }

  async #settle(admitting: Promise<Admitted>, metadata: Metadata): Promise<void> {
    try {
      this.#letIn(await admitting, metadata);
    } catch (error) {
      this.#call.sendStatus(statusOf(error));
    }
  }

  #letIn(admitted: Admitted, metadata: Metadata): void {
    if (admitted.signal.aborted) {
      // No message is read, and no handler called.
      this.#endpoint.turnAway(admitted);
      return;
    }
    this.#letInAs = admitted;
    const end = () => this.#call.sendStatus(statusOf(new DeadlineExceeded()));
    this.#timer = setTimeout(end, messageMilliseconds).unref();
    this.#listener.onReceiveMetadata(Object.assign(metadata, { admitted }));
  }

  onReceiveMessage(message: Buffer): void {
    const admitted = this.#letInAs;
    // The call can have ended while the message was unpacked.
    if (!admitted) return;
    this.#hasMessage = true;
    if (message.length < largeBytes || this.#keepFor(admitted, message.length))
      this.#listener.onReceiveMessage(message);
    else this.#call.sendStatus(statusOf(new Overloaded()));
  }

  /** Whether that much more is kept for its caller: of one message at least. */
  #keepFor({ caller }: Admitted, bytes: number): boolean {
    if (!keptBytes.take(caller, bytes)) return false;
    this.#keptBytes += bytes;
    return true;
  }

  onReceiveHalfClose(): void {
    // A call without a message reaches no handler.
    if (this.#hasMessage) this.#handOver();
    this.#listener.onReceiveHalfClose();
  }

  /** grpc-js says so of every call, once, however it ended, and when the last of its answer has gone. */
  onCancel(): void {
    this.#inFlight.count--;
    this.#incoming.cancelled();
    const unhandled = this.#handOver();
    if (unhandled) this.#endpoint.turnAway(unhandled);
    this.#listener.onCancel();
  }

  /** @returns by whom it was let in, unless it has been handed over before. */
  #handOver(): Admitted | null {
    const admitted = this.#letInAs;
    if (!admitted) return null;
    this.#letInAs = null;
    clearTimeout(this.#timer);
    if (this.#keptBytes > 0) keptBytes.giveBack(admitted.caller, this.#keptBytes);
    return admitted;
  }
}

/** How a call ends that failed. */
export function statusOf(error: unknown): StatusObject {
  const failure = failureOf(error);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(statusDetailsOf(failure)));
  return { code: failure.code, details: failure.message, metadata };
}

class IncomingGrpcCall implements IncomingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly peer: string;
  readonly deadline: number;
  metadata: Metadata | null = null;
  cancelled = () => {};

  constructor(call: ServerInterceptingCallInterface) {
    this.#call = call;
    // What the connection was when the call came: asking the socket costs more.
    const { remoteAddress, remotePort } = call.getConnectionInfo();
    this.peer = remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
    const deadline = call.getDeadline();
    this.deadline = deadline instanceof Date ? deadline.getTime() : deadline;
  }

  header(name: string): string | undefined {
    return this.metadata?.get(name)[0] as string | undefined;
  }

  /** grpc-js tells of certificates that were verified, and of no others. */
  certificate(): ShownCertificate | null {
    return shownCertificate(this.#call.getAuthContext()?.sslPeerCertificate);
  }

  onCancel(listener: () => void): void {
    this.cancelled = listener;
  }
}
