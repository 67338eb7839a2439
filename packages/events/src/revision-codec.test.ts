import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import * as wire from '@touchstone/contracts/events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { revisionCodec } from './revision-codec.ts';
import { anyContent, content, cut } from './test-revisions.ts';

test('what is encoded is decoded to the same', () => {
  fc.assert(
    fc.property(anyContent, (one) => {
      expect(revisionCodec.decode(revisionCodec.encode(one))).toEqual(one);
    }),
  );
});

test('what is encoded is what the library makes of the message', () => {
  fc.assert(
    fc.property(anyContent, (one) => {
      const bytes = revisionCodec.encode(one);
      const message = fromBinary(wire.RevisionContentSchema, bytes);
      expect(Buffer.from(toBinary(wire.RevisionContentSchema, message))).toEqual(Buffer.from(bytes));
    }),
  );
});

test('the bytes are the same always: the hashes of the chain stand on them', () => {
  const bytes = revisionCodec.encode({
    recordedAt: 1_767_225_600_123,
    cuts: [
      { ...cut, sparedTokenId: 'tok_1', coversUntil: 1_767_225_601_000 },
      { ...cut, kind: 'all', key: '', tokenClass: 'credential', ceiling: null },
    ],
  });
  expect(Buffer.from(bytes).toString('hex')).toBe(
    '0a0b0880f2d6ca0610c0a9d33a12260a240a057265765f311002' +
      '1a0668616e646c652001280732' +
      '05746f6b5f313a060881f2d6ca06120d0a0b0a057265765f3110062002',
  );
});

test('whatever byte is altered, nothing is decoded that would be encoded otherwise', () => {
  fc.assert(
    fc.property(anyContent, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, place, difference) => {
      const bytes = Buffer.from(revisionCodec.encode(one));
      bytes[place % bytes.length] = (bytes[place % bytes.length] ?? 0) ^ difference;
      const decoded = decodeOrNull(bytes);
      if (decoded) expect(Buffer.from(revisionCodec.encode(decoded))).toEqual(bytes);
      expect(decoded).not.toEqual(one);
    }),
  );
});

test('nor from bytes that are cut short or made up', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        anyContent.map((one) => revisionCodec.encode(one).slice(0, -1)),
      ),
      (bytes) => {
        const decoded = decodeOrNull(bytes);
        if (decoded) expect(Buffer.compare(revisionCodec.encode(decoded), bytes)).toBe(0);
      },
    ),
  );
});

const decodeOrNull = (bytes: Uint8Array) => {
  try {
    return revisionCodec.decode(bytes);
  } catch {
    return null;
  }
};

describe('a revision that says what is not understood here is refused', () => {
  const unknown = { no: 15, wireType: WireType.Varint, data: new Uint8Array([1]) };
  const parts = () => {
    const message = create(wire.RevisionContentSchema, {
      recordedAt: { seconds: 1n },
      entries: [
        { entry: { case: 'cut', value: { revocationId: 'r', kind: 2, key: 'k', tokenClass: 1, coversUntil: {} } } },
      ],
    });
    const [entry] = message.entries;
    return { message, entry: entry as wire.RevisionEntry, cut: entry?.entry.value as wire.Cut };
  };
  type Parts = ReturnType<typeof parts>;

  test('but not the one that the others are made from', () => {
    expect(revisionCodec.decode(toBinary(wire.RevisionContentSchema, parts().message)).cuts).toHaveLength(1);
  });

  test.each<[string, (parts: Parts) => unknown]>([
    ['an unknown field', ({ message }) => (message.$unknown = [unknown])],
    ['an unknown field of an entry', ({ entry }) => (entry.$unknown = [unknown])],
    ['an unknown field of a cut', ({ cut }) => (cut.$unknown = [unknown])],
    ['an unknown field of an instant', ({ cut }) => Object.assign(cut.coversUntil ?? {}, { $unknown: [unknown] })],
    ['an entry of an unknown kind', ({ entry }) => (entry.entry = { case: undefined })],
    ['no entries', ({ message }) => (message.entries = [])],
    ['no time', ({ message }) => delete message.recordedAt],
    ['a time before 1970', ({ message }) => Object.assign(message.recordedAt ?? {}, { seconds: -1n })],
    ['a time with parts of a millisecond', ({ message }) => Object.assign(message.recordedAt ?? {}, { nanos: 1 })],
    ['an unknown kind of target', ({ cut }) => (cut.kind = 99 as never)],
    ['no kind of target', ({ cut }) => (cut.kind = 0)],
    ['an unknown class of tokens', ({ cut }) => (cut.tokenClass = 3 as never)],
    ['no class of tokens', ({ cut }) => (cut.tokenClass = 0)],
    ['a ceiling that a number can not hold', ({ cut }) => (cut.ceiling = 2n ** 53n)],
    ['no key', ({ cut }) => (cut.key = '')],
    ['a key for all', ({ cut }) => (cut.kind = wire.CutKind.ALL)],
    ['no revocation', ({ cut }) => (cut.revocationId = '')],
    [
      'a change of no resource server',
      ({ entry }) => (entry.entry = { case: 'releaseChange', value: create(wire.ReleaseChangeSchema) }),
    ],
  ])('%s', (_, change) => {
    const made = parts();
    change(made);
    expect(() => revisionCodec.decode(toBinary(wire.RevisionContentSchema, made.message))).toThrow();
  });

  test('a field said twice', () => {
    const { message } = parts();
    const time = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .bytes(new Uint8Array([8, 1]))
      .finish();
    const bytes = Buffer.concat([time, toBinary(wire.RevisionContentSchema, message)]);
    expect(() => revisionCodec.decode(bytes)).toThrow('says more');
  });

  test('text that is not UTF-8', () => {
    const bytes = Buffer.from(revisionCodec.encode(content));
    bytes[bytes.indexOf('handle')] = 0xff;
    expect(() => revisionCodec.decode(bytes)).toThrow();
  });
});

describe('what could not be decoded is not encoded', () => {
  test.each<[string, object]>([
    ['no cuts', { cuts: [] }],
    ['part of a millisecond', { recordedAt: 0.5 }],
    ['part of a sequence', { cuts: [{ ...cut, ceiling: 1.5 }] }],
    ['a negative ceiling', { cuts: [{ ...cut, ceiling: -1 }] }],
    ['a ceiling beyond precision', { cuts: [{ ...cut, ceiling: 2 ** 53 }] }],
    ['no key', { cuts: [{ ...cut, key: '' }] }],
    ['half a character', { cuts: [{ ...cut, key: '\ud800' }] }],
  ])('%s', (_, change) => {
    expect(() => revisionCodec.encode({ ...content, ...change })).toThrow();
  });
});
