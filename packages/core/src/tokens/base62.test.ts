import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase62, encodeBase62 } from './base62.ts';
import { parseTokenId, tokenIdOf } from './token-key.ts';

test('every byte string comes back from its text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(decodeBase62(encodeBase62(bytes))).toEqual(Buffer.from(bytes));
    }),
  );
});

test('a text is taken only if it is the one that its bytes are written as', () => {
  const digit = fc.constantFrom(...'0123456789ABCXYZabcxyz*é-_');
  fc.assert(
    fc.property(fc.string({ unit: digit, maxLength: 30 }), (text) => {
      const bytes = decodeBase62(text);
      if (bytes) expect(encodeBase62(bytes)).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test('texts beyond what their bytes can hold are refused', () => {
  expect(decodeBase62('zzzzzzz')).toBeNull();
  expect(decodeBase62('zz')).toBeNull();
  expect(decodeBase62('0')).toBeNull();
  expect(decodeBase62('0000')).toBeNull();
});

test('a token id names the partition and the key of its record', () => {
  const hex = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65_535 }), hex, (partition, key) => {
      expect(parseTokenId(tokenIdOf({ partition, key }))).toEqual({ partition, key });
    }),
  );
  expect(parseTokenId('tok_')).toBeNull();
  expect(parseTokenId(`tid_${'0'.repeat(26)}`)).toBeNull();
  expect(parseTokenId(`tok_${'0'.repeat(25)}!`)).toBeNull();
});
