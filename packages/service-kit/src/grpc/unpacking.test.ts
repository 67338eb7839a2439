import { Cancelled } from '@touchstone/core';
import { expect, test } from 'vitest';
import type { Admitted } from '../call/pipeline.ts';
import { caller } from '../test-service.ts';
import type { BaseCall } from './base-call.ts';
import { unpackInTurn } from './unpacking.ts';

test('one message is unpacked at a time, of each caller in turn, and none of a call that has ended', async () => {
  const unpacked: string[] = [];
  let underWay = 0;
  const unpack = (name: string, aborted = false) => {
    const call = {
      async decompressMessage(message: Buffer) {
        expect(++underWay).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        underWay--;
        unpacked.push(name);
        return message;
      },
    } as unknown as BaseCall;
    unpackInTurn(call, { caller: { ...caller, name }, signal: { aborted } } as unknown as Admitted);
    return call.decompressMessage(Buffer.from(name), 'gzip');
  };
  const messages = [unpack('a'), unpack('a'), unpack('a'), unpack('b')];
  const ended = expect(unpack('b', true)).rejects.toThrow(Cancelled);
  expect(String(await Promise.all(messages))).toBe('a,a,a,b');
  await ended;
  expect(unpacked).toEqual(['a', 'b', 'a', 'a']);
});
