import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BatchValidateTokensRequestSchema, ValidateTokenRequestSchema } from '@touchstone/contracts';
import { isPlain, requireReadAlike } from '@touchstone/service-kit/test-plain';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPlainRequest, readPlainRequests } from './read-plain.ts';

type Request = MessageInitShape<typeof ValidateTokenRequestSchema>;

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom(...'abz019_-:/. ~'), maxLength: 70 }) },
  fc.string({ unit: 'binary', maxLength: 10 }),
);
const duration = fc.record({ seconds: fc.bigInt(-1n, 2n ** 33n), nanos: fc.integer({ min: -1, max: 2 ** 31 - 1 }) });
const requirement = fc.oneof(
  duration.map((value) => ({ case: 'maxStaleness' as const, value })),
  text.map((value) => ({ case: 'atLeastRevision' as const, value })),
  fc.boolean().map((value) => ({ case: 'fullyConsistent' as const, value })),
  fc.constant({ case: undefined }),
);
const request: fc.Arbitrary<Request> = fc.record({
  token: fc.oneof(text, fc.constantFrom('t'.repeat(8192), 't'.repeat(8193))),
  audience: text,
  requiredScopes: fc.oneof(fc.array(text, { maxLength: 3 }), fc.constantFrom(Array(64).fill('x'), Array(65).fill('x'))),
  consistency: fc.option(fc.record({ requirement }), { nil: undefined }),
  request: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, text),
});
const usual: Request = { token: 'tks_1', audience: 'https://orders.example', requiredScopes: ['orders:read'] };

test('a plain request is read as any message is', () => {
  requireReadAlike(ValidateTokenRequestSchema, readPlainRequest, request);
  const requests = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, request), { maxLength: 3 });
  const eachKept = requests.filter((all) =>
    all.every((one) => isPlain(ValidateTokenRequestSchema, readPlainRequest, one)),
  );
  for (const some of [requests, eachKept]) {
    requireReadAlike(
      BatchValidateTokensRequestSchema,
      readPlainRequests,
      some.map((requests) => ({ requests })),
    );
  }
});

test.each<[string, Partial<Request>]>([
  ['fully consistent', {}],
  ['as stale as may be', { consistency: { requirement: { case: 'maxStaleness', value: { seconds: 5n, nanos: 1 } } } }],
  ['of a revision', { consistency: { requirement: { case: 'atLeastRevision', value: '3abc' } } }],
])('what most callers ask is plain: %s', (_, more) => {
  expect(isPlain(ValidateTokenRequestSchema, readPlainRequest, { ...usual, ...more } as Request)).toBe(true);
});

test('a staleness that comes in two parts is put together where any message is read', () => {
  const staleFor = (seconds: bigint) => ({
    consistency: { requirement: { case: 'maxStaleness' as const, value: { seconds, nanos: 0 } } },
  });
  const bytesOf = (request: Request) =>
    toBinary(ValidateTokenRequestSchema, create(ValidateTokenRequestSchema, request));
  const parts = [bytesOf({ ...usual, ...staleFor(1n) } as Request), bytesOf(staleFor(2n))];
  expect(readPlainRequest(Buffer.concat(parts))).toBeNull();
});

test('a batch is plain where each request in it is', () => {
  const isPlainBatch = (requests: Request[]) =>
    isPlain(BatchValidateTokensRequestSchema, readPlainRequests, { requests });
  expect(isPlainBatch(Array(1_000).fill(usual))).toBe(true);
  expect(isPlainBatch(Array(1_001).fill(usual))).toBe(false);
  expect(isPlainBatch([])).toBe(false);
  expect(isPlainBatch([usual, { ...usual, requiredScopes: [] }])).toBe(false);
});
