import { type Caller, inTurnOfEach, keyOfPrincipal } from '@touchstone/core';
import type { Admitted } from '../call/pipeline.ts';
import type { BaseCall } from './base-call.ts';

interface Packed {
  readonly caller: Caller;
  unpack(): Promise<Buffer>;
}

/** One after the other: what is being unpacked is not counted yet, and can become a thousand times as large. */
const unpackNext = inTurnOfEach<Packed, Buffer>(
  ({ caller }) => keyOfPrincipal(caller),
  ({ unpack }) => unpack(),
  Number.POSITIVE_INFINITY,
);

/** Has the call's messages unpacked in turn. By itself grpc-js unpacks all that there are at once. */
export function unpackInTurn(call: BaseCall, { caller, signal }: Admitted): void {
  const unpack = call.decompressMessage.bind(call);
  call.decompressMessage = (message, encoding) =>
    encoding === 'identity'
      ? unpack(message, encoding)
      : unpackNext({ caller, unpack: async () => unpack(message, encoding) }, signal);
}
