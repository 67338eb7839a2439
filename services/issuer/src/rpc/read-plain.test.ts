import { create, type JsonObject, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  BatchIssueTokensRequestSchema,
  IssueTokenRequestSchema,
  OnExcess,
  TokenMethod,
  Usage,
} from '@touchstone/contracts';
import { isPlain, requireReadAlike } from '@touchstone/service-kit/test-plain';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPlainRequest, readPlainRequests } from './read-plain.ts';

type Request = MessageInitShape<typeof IssueTokenRequestSchema>;

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom(...'abz019_-:/.'), minLength: 1, maxLength: 70 }) },
  fc.string({ unit: 'binary', maxLength: 10 }),
);
const usual: Request = {
  tenantId: 'ten_1',
  appId: 'app_1',
  userId: 'user-1',
  audience: 'https://orders.example',
  scopes: ['orders:read', 'orders:write'],
  usage: Usage.INTERACTIVE,
};
/** Fields that most requests have alike, so that all of one is seldom wrong. */
const mostly = <Value>(value: Value, other: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(value) }, other);
const claims = fc.dictionary(fc.oneof(text, fc.constant('__proto__')), fc.jsonValue(), { noNullPrototype: true });
const request = fc.record({
  tenantId: mostly('ten_1', text),
  appId: mostly('app_1', text),
  userId: mostly('user-1', text),
  audience: mostly('https://orders.example', text),
  scopes: mostly(['orders:read'], fc.array(text, { maxLength: 4 })),
  usage: mostly<number>(Usage.BATCH, fc.nat(9)),
  method: mostly<number>(TokenMethod.UNSPECIFIED, fc.nat(9)),
  onExcess: mostly<number>(OnExcess.UNSPECIFIED, fc.nat(4)),
  consentId: mostly('', fc.oneof(text, fc.constant(`con_${'a'.repeat(21)}`))),
  refreshable: fc.boolean(),
  claims: fc.option(claims as fc.Arbitrary<JsonObject>, { nil: undefined }),
}) as fc.Arbitrary<Request>;

test('a plain request is read as any message is', () => {
  requireReadAlike(IssueTokenRequestSchema, readPlainRequest, request);
  const requests = fc.array(request, { maxLength: 2 });
  requireReadAlike(
    BatchIssueTokensRequestSchema,
    readPlainRequests,
    requests.map((requests) => ({ requests })),
  );
});

test.each<[string, Partial<Request>]>([
  ['no more than it takes', {}],
  ['for the app itself', { userId: '' }],
  ['claims', { claims: { name: 'Ada', age: 36, admin: true, address: { city: 'London' } } }],
  ['a method and a consent', { method: TokenMethod.SIGNED, consentId: `con_${'a'.repeat(21)}`, refreshable: true }],
])('what most callers ask for is plain: %s', (_, more) => {
  expect(isPlain(IssueTokenRequestSchema, readPlainRequest, { ...usual, ...more } as Request)).toBe(true);
});

test.each<[string, Partial<Request>]>([
  ['a scope twice', { scopes: ['a', 'a'] }],
  ['no usage', { usage: Usage.UNSPECIFIED }],
  ['claims that are lists', { claims: { groups: ['a'] } }],
  ['a name of another alphabet', { claims: { name: 'Ольга' } }],
])('what needs a closer look is not: %s', (_, more) => {
  expect(isPlain(IssueTokenRequestSchema, readPlainRequest, { ...usual, ...more } as Request)).toBe(false);
});

test('claims that come in two parts are put together where any message is read', () => {
  const bytesOf = (request: Request) => toBinary(IssueTokenRequestSchema, create(IssueTokenRequestSchema, request));
  const parts = [bytesOf({ ...usual, claims: { a: 1 } }), bytesOf({ claims: { b: 2 } })];
  expect(readPlainRequest(Buffer.concat(parts))).toBeNull();
});

test('claims in claims end somewhere, also where their sender does not', () => {
  const nested = (depth: number): JsonObject => (depth === 0 ? {} : { in: nested(depth - 1) });
  expect(isPlain(IssueTokenRequestSchema, readPlainRequest, { ...usual, claims: nested(3) })).toBe(true);
  expect(isPlain(IssueTokenRequestSchema, readPlainRequest, { ...usual, claims: nested(200) })).toBe(false);
});
