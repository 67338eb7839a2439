import { Metadata, type ServerInterceptingCallInterface, type StatusObject } from '@grpc/grpc-js';
import { Cancelled, DeadlineExceeded, type ShownCertificate, type TouchstoneError } from '@touchstone/core';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import { shownCertificate } from '../lifecycle/tls.ts';

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** How many calls are being let in or answered. */
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

/**
 * Lets a call in, or ends it, by its metadata alone. A message would be unpacked and kept before its handler is called, and
 * anybody could send as many as there is memory.
 */
export class AdmittingListener implements Listener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint;
  readonly #inFlight: InFlight;
  readonly #listener: Listener;
  readonly #incoming: IncomingGrpcCall;

  constructor(call: ServerInterceptingCallInterface, { endpoint, inFlight }: Admitting, listener: Listener) {
    this.#call = call;
    this.#endpoint = endpoint;
    this.#inFlight = inFlight;
    this.#listener = listener;
    this.#incoming = new IncomingGrpcCall(call);
  }

  onReceiveMetadata(metadata: Metadata): void {
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
    this.#inFlight.count++;
    try {
      this.#letIn(await admitting, metadata);
    } catch (error) {
      this.#call.sendStatus(statusOf(error));
    } finally {
      this.#inFlight.count--;
    }
  }

  #letIn(admitted: Admitted, metadata: Metadata): void {
    if (!this.#incoming.isOver) this.#listener.onReceiveMetadata(Object.assign(metadata, { admitted }));
    // Of a call that has ended meanwhile no message is read, and no handler called.
    else this.#endpoint.turnAway(admitted, this.#incoming.ending());
  }

  onReceiveMessage(message: unknown): void {
    this.#listener.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.#listener.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#incoming.cancelled();
    this.#listener.onCancel();
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
  isOver = false;
  #listener = () => {};

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
    this.#listener = listener;
  }

  /** How it has ended: timers can be a millisecond early. */
  ending(): TouchstoneError {
    return this.deadline <= Date.now() + 1 ? new DeadlineExceeded() : new Cancelled();
  }

  cancelled(): void {
    this.isOver = true;
    this.#listener();
  }
}
