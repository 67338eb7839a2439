import { EventEmitter } from 'node:events';
import { Metadata, type ServerInterceptingCallInterface, type StatusObject, status } from '@grpc/grpc-js';
import type { Caller } from '@touchstone/core';
import { expect, test, vi } from 'vitest';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { caller, deafListener } from '../test-service.ts';
import { AdmittingListener } from './admission.ts';

/** A quarter of what is kept for a caller. */
const large = Buffer.alloc(16 * 1_024 * 1_024);

/** A call that has brought a large message, and that has ended, but for its stream: what it was answered with, and how that closes. */
function unended(over: Partial<Caller> = {}, listener = deafListener) {
  const statuses: StatusObject[] = [];
  let hasEnded = false;
  const stream = Object.assign(new EventEmitter(), { destroyed: false, writableLength: 0, close() {} });
  const call = {
    getConnectionInfo: () => ({}),
    getDeadline: () => Number.POSITIVE_INFINITY,
    sendStatus: (one: StatusObject) => void statuses.push(one),
    incomingEncoding: 'identity',
    checkCancelled: () => hasEnded,
    stream,
  } as unknown as ServerInterceptingCallInterface;
  const admit = (incoming: IncomingCall): Admitted => ({
    call: incoming,
    caller: { ...caller, ...over },
    traceId: '0'.repeat(32),
    started: 0,
    signal: { aborted: false, tell() {} },
  });
  const turnAway = vi.fn();
  const endpoint = { admit, turnAway } as unknown as Endpoint;
  const admitting = new AdmittingListener(call, { endpoint, inFlight: { count: 0 } }, listener);
  admitting.onReceiveMetadata(new Metadata());
  admitting.onReceiveMessage(large);
  hasEnded = true;
  admitting.onReceiveHalfClose();
  admitting.onCancel();
  return { code: statuses[0]?.code, turnAway, [Symbol.dispose]: () => stream.emit('close') };
}

test('a call whose end comes once it is over reaches no handler, and is told of once', () => {
  const onReceiveHalfClose = vi.fn();
  using call = unended({ name: 'late' }, { ...deafListener, onReceiveHalfClose });
  expect(onReceiveHalfClose).not.toHaveBeenCalled();
  expect(call.turnAway).toHaveBeenCalledOnce();
});

test('what is kept for a caller is counted by who it is, though each call tells of it by another object', () => {
  using kept = new DisposableStack();
  const bring = (over?: Partial<Caller>) => kept.use(unended(over)).code;
  const first = unended();
  expect([first.code, bring(), bring(), bring()]).toEqual(Array(4).fill(undefined));
  expect(bring({ credentialId: 'tok_2' })).toBe(status.UNAVAILABLE);
  expect(bring({ name: 'other' })).toBeUndefined();
  first[Symbol.dispose]();
  expect([bring(), bring()]).toEqual([undefined, status.UNAVAILABLE]);
});
