import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What grpc-js keeps to itself of a call: package.json names the one version that has it. */
export interface BaseCall {
  readonly stream: ServerHttp2Stream;
  /** Of messages that are packed. */
  readonly incomingEncoding: string;
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
  /** Takes what comes of its messages. */
  handleDataFrame(data: Buffer): void;
  /** Whether it has ended. */
  checkCancelled(): boolean;
  metadataSent: boolean;
  maxReceiveMessageSize: number;
  readonly decoder: { maxReadMessageLength: number };
}

export const baseOf = (call: ServerInterceptingCallInterface): BaseCall => call as unknown as BaseCall;
