import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { BatchValidateTokensResponseSchema, RefusalReason, ValidateTokenResponseSchema } from '@touchstone/contracts';
import { formatRevision, type JsonValue, type Told, type Validation } from '@touchstone/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeResults, encodeValidation } from './encode-validation.ts';

const text = fc.string({ unit: 'grapheme', size: 'medium' });
const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
const claim = fc.jsonValue() as fc.Arbitrary<JsonValue>;
const told: fc.Arbitrary<Told> = fc.record({
  tokenId: text,
  tenantId: text,
  appId: text,
  subject: text,
  scopes: fc.array(text),
  expiresAt: instant,
  claims: fc.dictionary(text, claim, { noNullPrototype: true }),
  actors: fc.array(text),
  encoded: fc.constant(null),
});
const freshness = fc.record({
  asOf: fc.option(instant),
  head: fc.record({ revision: fc.nat(), hash: fc.constantFrom('a'.repeat(64), 'b'.repeat(64)) }),
});
const reasons = { expired: RefusalReason.EXPIRED, not_honoured: RefusalReason.NOT_HONOURED } as const;
const validation: fc.Arbitrary<Validation> = fc.oneof(
  fc.tuple(told, freshness).map(([told, fresh]) => ({ active: true as const, told, ...fresh })),
  fc
    .tuple(fc.constantFrom('expired', 'not_honoured'), freshness)
    .map(([reason, fresh]) => ({ active: false as const, reason, ...fresh })),
);
const status = fc.record({ code: fc.nat(16), message: text });

/** The same answer, as a message made in one piece. */
function messageOf(one: Validation): MessageInitShape<typeof ValidateTokenResponseSchema> {
  const fresh = {
    ...(one.asOf === null ? {} : { asOf: timestampFromMs(one.asOf) }),
    revision: formatRevision(one.head),
  };
  if (!one.active) return { active: false, reason: reasons[one.reason as keyof typeof reasons], ...fresh };
  const { encoded, expiresAt, claims, scopes, actors, ...rest } = one.told;
  return {
    active: true,
    ...rest,
    scopes: [...scopes],
    actors: [...actors],
    expiresAt: timestampFromMs(expiresAt),
    claims: claims as NonNullable<MessageInitShape<typeof ValidateTokenResponseSchema>['claims']>,
    ...fresh,
  };
}

test('an answer that is encoded in parts is the answer in one piece, the second time as the first', () => {
  fc.assert(
    fc.property(validation, freshness, (first, later) => {
      for (const one of [first, { ...first, ...later }]) {
        const expected = create(ValidateTokenResponseSchema, messageOf(one));
        expect(fromBinary(ValidateTokenResponseSchema, encodeValidation(one))).toEqual(expected);
      }
    }),
  );
});

test('so are those of a batch, each in its place', () => {
  const outcomes = fc.array(fc.oneof(validation, status), { maxLength: 20 });
  fc.assert(
    fc.property(outcomes, (some) => {
      const results = some.map((one) => ({
        outcome:
          'active' in one
            ? { case: 'validated' as const, value: messageOf(one) }
            : { case: 'error' as const, value: one },
      }));
      const expected = create(BatchValidateTokensResponseSchema, { results });
      // What is remembered comes again.
      const twice = create(BatchValidateTokensResponseSchema, { results: [...results, ...results] });
      expect(fromBinary(BatchValidateTokensResponseSchema, encodeResults(some))).toEqual(expected);
      requireNested(encodeResults(some));
      expect(fromBinary(BatchValidateTokensResponseSchema, encodeResults([...some, ...some]))).toEqual(twice);
    }),
  );
});

/** Our decoder does not mind a part that is longer than the whole; others do. */
function requireNested(response: Uint8Array): void {
  const reader = new BinaryReader(response);
  while (reader.pos < reader.len) {
    reader.tag();
    const end = reader.uint32() + reader.pos;
    reader.tag();
    expect(reader.uint32() + reader.pos).toBe(end);
    reader.pos = end;
  }
  expect(reader.pos).toBe(reader.len);
}
