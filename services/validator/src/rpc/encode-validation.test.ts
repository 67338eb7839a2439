import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
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

const inLetters = (letter: string) => `({ name: '${letter}'.repeat(3_000) + i, group: ['${letter}'.repeat(50)] })`;

test.each([
  ['Latin letters', inLetters('é')],
  ['other letters', inLetters('中')],
  ['outer letters', inLetters('🌍')],
  ['lists in lists', `({ lists: Array.from({ length: 60 }, () => JSON.parse('['.repeat(30) + ']'.repeat(30))) })`],
  ['objects with nothing in them', '({ objects: Array.from({ length: 1_300 }, () => ({})) })'],
  ['names of their own', `Object.fromEntries(Array.from({ length: 300 }, (_, j) => ['k' + i + '-' + j, 1]))`],
])('what is remembered of tokens takes no more than is counted, with what was told of them: %s', async (_, claims) => {
  const script = `
    import { TokenCache } from '@touchstone/core';
    import { encodeValidation } from '${new URL('./encode-validation.ts', import.meta.url)}';
    function used() {
      // Buffers are given back in the background; a second collection waits for that.
      gc();
      gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    }
    const bytesMax = 20_000_000;
    const shown = { claims: [], pairwiseSector: null };
    const head = { revision: 1, hash: 'a'.repeat(64) };
    const cache = new TokenCache({ generation: 0 }, bytesMax);
    function remember(i) {
      const known = { userId: 'user-' + i, claims: ${claims} };
      const key = { key: String(i).padStart(32, '0'), partition: 20_784 };
      const record = {
        ...{ key, tokenClass: 'token', tenantId: 'acme', appId: 'app', userHandle: 'h'.repeat(22), consentId: null },
        ...{ audience: 'https://orders.example.com', scopes: ['orders:read'], usage: 'interactive', method: 'reference' },
        ...{ signingKeyId: null, policyVersion: 1, confirmation: null, lineage: [], sequence: i, issuedAt: 1, expiresAt: 2 },
      };
      // As what comes from the database, and from what was sealed: nothing of it is shared.
      cache.set('tks_' + i, ...JSON.parse(JSON.stringify([record, known])), 0);
      const { opened, ...one } = cache.get('tks_' + i) ?? {};
      if (!opened) return;
      const told = {
        ...{ tokenId: 'tok_' + i, tenantId: 'acme', appId: 'app', subject: opened.userId, scopes: one.record.scopes },
        ...{ expiresAt: 2, claims: { ...opened.claims }, actors: [], encoded: null },
      };
      cache.get('tks_' + i).lastTold = { ...shown, told };
      encodeValidation({ active: true, told, asOf: 1, head });
    }
    remember(0);
    const before = used();
    for (let i = 1; cache.size === i; i++) remember(i);
    const taken = used() - before;
    console.log(JSON.stringify({ taken, counted: cache.bytes, bytesMax }));`;
  const args = ['--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  const { taken, counted, bytesMax } = JSON.parse(stdout);
  expect(counted).toBeGreaterThan(0.9 * bytesMax);
  expect(taken).toBeLessThan(counted);
  expect(taken).toBeGreaterThan(0.3 * counted);
});
