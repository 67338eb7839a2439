import { constants } from 'node:http2';
import { Metadata, type ServerInterceptingCallInterface, type StatusObject, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { deafListener } from '../test-service.ts';
import { EndingListener } from './ending-listener.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A call that has begun, and how it ends. */
function begin(isLasting = false) {
  const ended: unknown[] = [];
  const stream = { writableLength: 0, close: (code: number) => void ended.push(code) };
  const sendStatus = ({ code }: StatusObject) => void ended.push(status[code]);
  const call = { sendStatus, stream } as unknown as ServerInterceptingCallInterface;
  const ending = new EndingListener(call, isLasting, deafListener);
  ending.onReceiveMetadata(new Metadata());
  return { ending, stream, ended };
}

test('a call has thirty seconds to send all of its message, but where it may send for as long as it wants', () => {
  const [late, lasting, whole] = [begin(), begin(true), begin()];
  whole.ending.onReceiveHalfClose();
  vi.advanceTimersByTime(29_999);
  expect(late.ended).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(late.ended).toEqual(['DEADLINE_EXCEEDED']);
  vi.advanceTimersByTime(600_000);
  expect([lasting.ended, whole.ended]).toEqual([[], []]);
});

test('an answer that nobody takes is given up within a minute, and none that is taken, or is not there yet', () => {
  const [untaken, taken] = [begin(), begin()];
  for (const { ending } of [untaken, taken]) ending.onReceiveHalfClose();
  vi.advanceTimersByTime(600_000);
  for (const { stream } of [untaken, taken]) stream.writableLength = 100;
  vi.advanceTimersByTime(30_000);
  taken.stream.writableLength = 0;
  expect(untaken.ended).toEqual([]);
  vi.advanceTimersByTime(30_000);
  expect([untaken.ended, taken.ended]).toEqual([[constants.NGHTTP2_CANCEL], []]);
});

test('with a call its stream ends, where its client has not ended it or takes nothing of it', () => {
  const [complete, unended, untaken] = [begin(), begin(), begin()];
  for (const { ending } of [complete, untaken]) ending.onReceiveHalfClose();
  untaken.stream.writableLength = 100;
  for (const { ending } of [complete, unended, untaken]) ending.onCancel();
  vi.advanceTimersByTime(600_000);
  expect([complete.ended, unended.ended, untaken.ended]).toEqual([
    [],
    [constants.NGHTTP2_NO_ERROR],
    [constants.NGHTTP2_CANCEL],
  ]);
});
