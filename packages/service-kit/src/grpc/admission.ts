import type { ServerHttp2Stream } from 'node:http2';
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { type Caller, Overloaded, type ShownCertificate } from '@touchstone/core';
import { KeptBytes, largeBytes } from '../call/kept-bytes.ts';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { shownCertificate } from '../lifecycle/tls.ts';
import { baseOf } from './base-call.ts';
import { type CallListener, EndingListener } from './ending-listener.ts';
import { statusOf } from './status.ts';
import { unpackInTurn } from './unpacking.ts';

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

/**
 * Lets a call in, or ends it, by its metadata alone. A message would be unpacked and kept before its handler is called, and
 * anybody could send as many as there is memory. Who is let in can have some kept, and for some time.
 */
export class AdmittingListener extends EndingListener {
  readonly #endpoint: Endpoint;
  readonly #inFlight: InFlight;
  readonly #incoming: IncomingGrpcCall;
  /** Until its handler has it. */
  #letInAs: Admitted | null = null;
  #hasMessage = false;
  /** Of its messages. */
  #bytes = 0;

  constructor(call: ServerInterceptingCallInterface, { endpoint, inFlight }: Admitting, listener: CallListener) {
    super(call, false, listener);
    this.#endpoint = endpoint;
    this.#inFlight = inFlight;
    this.#incoming = new IncomingGrpcCall(call, this.stream);
  }

  override onReceiveMetadata(metadata: Metadata): void {
    this.#inFlight.count++;
    this.#incoming.metadata = metadata;
    try {
      const admitting = this.#endpoint.admit(this.#incoming);
      if (admitting instanceof Promise) void this.#settle(admitting, metadata);
      else this.#letIn(admitting, metadata);
    } catch (error) {
      this.call.sendStatus(statusOf(error));
    }
  }

  async #settle(admitting: Promise<Admitted>, metadata: Metadata): Promise<void> {
    try {
      this.#letIn(await admitting, metadata);
    } catch (error) {
      this.call.sendStatus(statusOf(error));
    }
  }

  #letIn(admitted: Admitted, metadata: Metadata): void {
    if (admitted.signal.aborted) {
      // No message is read, and no handler called.
      void this.#endpoint.turnAway(admitted);
      return;
    }
    this.#letInAs = admitted;
    this.#takeMessages(admitted);
    super.onReceiveMetadata(Object.assign(metadata, { admitted }));
  }

  /** Counts what comes ahead of grpc-js, which keeps it; and a message that comes in one piece need not be put together. */
  #takeMessages(admitted: Admitted): void {
    const base = baseOf(this.call);
    if (base.incomingEncoding !== 'identity') unpackInTurn(base, admitted);
    const { handleDataFrame } = base;
    base.handleDataFrame = (data) => {
      const isFirst = this.#bytes === 0;
      this.#count(admitted, data.length);
      if (base.checkCancelled()) return;
      if (isFirst && isWhole(data, base.maxReceiveMessageSize)) this.onReceiveMessage(data.subarray(headerBytes));
      else handleDataFrame.call(base, data);
    };
  }

  override onReceiveMessage(message: Buffer): void {
    const admitted = this.#letInAs;
    // The call can have ended while the message was unpacked.
    if (!admitted) return;
    this.#hasMessage = true;
    // What it has become beyond what came of it.
    if (this.#count(admitted, Math.max(message.length - this.#bytes, 0))) this.listener.onReceiveMessage(message);
  }

  /** Ends the call where so much more of its messages is not kept. */
  #count({ caller }: Admitted, bytes: number): boolean {
    this.#bytes += bytes;
    const isKept = this.#incoming.keep(caller, this.#bytes);
    if (!isKept) this.call.sendStatus(statusOf(new Overloaded()));
    return isKept;
  }

  override onReceiveHalfClose(): void {
    // What has ended meanwhile is told of as that.
    if (baseOf(this.call).checkCancelled()) return;
    // A call without a message reaches no handler.
    if (this.#hasMessage) this.#handOver();
    super.onReceiveHalfClose();
  }

  override onCancel(): void {
    this.#inFlight.count--;
    this.#incoming.cancelled();
    const unhandled = this.#handOver();
    if (unhandled) void this.#endpoint.turnAway(unhandled);
    super.onCancel();
  }

  /** @returns by whom it was let in, unless it has been handed over before. */
  #handOver(): Admitted | null {
    const admitted = this.#letInAs;
    this.#letInAs = null;
    return admitted;
  }
}

/** Of a message: whether it is packed, and its length in four bytes. */
const headerBytes = 5;

/** Whether it is one message, not packed and no larger than it may be. */
const isWhole = (data: Buffer, bytesMax: number): boolean =>
  data.length >= headerBytes &&
  data[0] === 0 &&
  data.readUInt32BE(1) === data.length - headerBytes &&
  data.length - headerBytes <= bytesMax;

class IncomingGrpcCall implements IncomingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly peer: string;
  readonly deadline: number;
  metadata: Metadata | null = null;
  cancelled = () => {};
  #kept: KeptBytes | null = null;

  constructor(call: ServerInterceptingCallInterface, stream: ServerHttp2Stream) {
    this.#call = call;
    this.#stream = stream;
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

  /** Whether so many bytes may be kept for the call: grpc-js keeps them until its stream has closed, whatever becomes of it. */
  keep(caller: Caller, bytes: number): boolean {
    if (this.#stream.destroyed || (bytes < largeBytes && !this.#kept)) return true;
    this.#kept ??= this.#keptUntilClosed(caller);
    return this.#kept.keep(bytes);
  }

  keepAnswer(caller: Caller, bytes: number): boolean {
    return this.keep(caller, (this.#kept?.bytes ?? 0) + bytes);
  }

  #keptUntilClosed(caller: Caller): KeptBytes {
    const kept = new KeptBytes(caller);
    this.#stream.once('close', () => kept.keep(0));
    return kept;
  }
}
