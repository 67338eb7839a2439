import { Metadata, type ServerInterceptingCallInterface, type StatusObject } from '@grpc/grpc-js';
import type { ShownCertificate } from '@touchstone/core';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import { shownCertificate } from '../lifecycle/tls.ts';

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** What a handler is given in place of the metadata of its call: who was let in, which knows the metadata. */
export class AdmittedMetadata extends Metadata {
  readonly admitted: Admitted;

  constructor(admitted: Admitted) {
    super();
    this.admitted = admitted;
  }
}

/**
 * Lets a call in, or ends it, by its metadata alone. A message would be unpacked and kept before its handler is called, and
 * anybody could send as many as there is memory.
 */
export class AdmittingListener implements Listener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #endpoint: Endpoint;
  readonly #listener: Listener;
  readonly #incoming: IncomingGrpcCall;

  constructor(call: ServerInterceptingCallInterface, endpoint: Endpoint, listener: Listener) {
    this.#call = call;
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#incoming = new IncomingGrpcCall(call);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#incoming.metadata = metadata;
    try {
      const admitting = this.#endpoint.admit(this.#incoming);
      if (!(admitting instanceof Promise)) this.#letIn(admitting);
      else
        admitting.then(
          (admitted) => this.#letIn(admitted),
          (error) => this.#refuse(error),
        );
    } catch (error) {
      this.#refuse(error);
    }
  }

  #letIn(admitted: Admitted): void {
    this.#listener.onReceiveMetadata(new AdmittedMetadata(admitted));
  }

  #refuse(error: unknown): void {
    this.#call.sendStatus(statusOf(error));
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
  metadata = new Metadata();
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
    return this.metadata.get(name)[0] as string | undefined;
  }

  /** grpc-js tells of certificates that were verified, and of no others. */
  certificate(): ShownCertificate | null {
    return shownCertificate(this.#call.getAuthContext()?.sslPeerCertificate);
  }

  onCancel(listener: () => void): void {
    this.#listener = listener;
  }

  cancelled(): void {
    this.#listener();
  }
}
