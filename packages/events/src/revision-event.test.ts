import { create, toBinary } from '@bufbuild/protobuf';
import { RevocationEventSchema } from '@touchstone/contracts/events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRevisionEvent, encodeRevisionEvent } from './revision-event.ts';
import { anySealed } from './test-revisions.ts';

test('what is encoded is decoded to the same', () => {
  fc.assert(
    fc.property(anySealed, (one) => {
      expect(decodeRevisionEvent(encodeRevisionEvent(one))).toEqual(one);
    }),
  );
});

test('an altered event is none, or another one', () => {
  fc.assert(
    fc.property(anySealed, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, place, difference) => {
      const bytes = encodeRevisionEvent(one);
      bytes[place % bytes.length] = (bytes[place % bytes.length] ?? 0) ^ difference;
      expect(decodeRevisionEvent(bytes)).not.toEqual(one);
    }),
  );
});

test.each([
  ['nothing', {}],
  ['a short hash', { hash: new Uint8Array(31) }],
  ['a short previous hash', { previousHash: new Uint8Array(31) }],
  ['no number', { revision: 0n }],
  ['a number beyond precision', { revision: 2n ** 53n }],
  ['an unknown field', { $unknown: [{ no: 15, wireType: 0 as const, data: new Uint8Array([1]) }] }],
])('no revision: %s', (name, change) => {
  const whole = {
    revision: 1n,
    hash: new Uint8Array(32),
    previousHash: new Uint8Array(32),
    content: new Uint8Array(1),
  };
  const event = Object.assign(create(RevocationEventSchema, name === 'nothing' ? {} : whole), change);
  expect(decodeRevisionEvent(toBinary(RevocationEventSchema, event))).toBeNull();
});

test('no revision: text', () => {
  expect(decodeRevisionEvent(Buffer.from('{"revision":1}'))).toBeNull();
});
