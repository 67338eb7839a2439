import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { intercepting } from './intercepted-call.ts';

/** A call whose messages are never written, and how often its sender was told to go on. */
function send(responseStream: boolean): number {
  let toldToGoOn = 0;
  const call = { sendMetadata() {}, sendMessage() {}, decoder: {} } as unknown as ServerInterceptingCallInterface;
  const method = { path: '/x', requestStream: false, responseStream } as Parameters<ReturnType<typeof intercepting>>[0];
  intercepting(() => undefined)(method, call).sendMessage('message', () => {
    toldToGoOn++;
  });
  return toldToGoOn;
}

test('a unary call goes on to its status at once; a stream waits until its message has been written', () => {
  expect(send(false)).toBe(1);
  expect(send(true)).toBe(0);
});
