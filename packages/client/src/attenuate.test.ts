import { hash, randomBytes } from 'node:crypto';
import {
  formatMacaroon,
  formatOpaque,
  identifyingOf,
  type Macaroon,
  macaroonLetter,
  macaroonSignature,
  parseMacaroon,
  tokenCharactersMax,
} from '@touchstone/core/token-strings';
import { expect, test } from 'vitest';
import { type Attenuation, attenuate } from './attenuate.ts';

const [unique, tag] = [randomBytes(32), randomBytes(10)];
const identifying = identifyingOf(macaroonLetter, 20_000, 1, unique);
const signature = macaroonSignature(randomBytes(32), identifying, []);
const token = formatMacaroon({ identifying, tag, caveats: [], signature });
const request = hash('sha256', 'GET /orders', 'base64url');

test('each narrowing is a caveat that its reader finds as it was given', () => {
  const copy = attenuate(token, { scopes: ['orders:read', 'orders:write'], expiresAt: 1_795_000_060, request });
  expect((parseMacaroon(copy) as Macaroon).caveats).toEqual([
    'scope orders:read orders:write',
    'exp 1795000060',
    `req ${request}`,
  ]);
});

test.each<[string, Attenuation]>([
  ['nothing', {}],
  ['no scopes', { scopes: [] }],
  ['an empty scope', { scopes: [''] }],
  ['two scopes in one', { scopes: ['orders:read orders:write'] }],
  ['a scope with a space at its end', { scopes: ['orders:read '] }],
  ['a scope in capitals', { scopes: ['Orders'] }],
  ['a scope with a line feed', { scopes: ['orders:read\n'] }],
  ['a scope too long', { scopes: ['x'.repeat(129)] }],
  ['scopes too many', { scopes: Array.from({ length: 65 }, (_, at) => `s${at}`) }],
  ['what is good, and a scope that is not', { scopes: ['orders:read', ''], expiresAt: 1 }],
  ['time zero', { expiresAt: 0 }],
  ['negative time', { expiresAt: -1 }],
  ['half a second', { expiresAt: 0.5 }],
  ['no number', { expiresAt: Number.NaN }],
  ['no end', { expiresAt: Number.POSITIVE_INFINITY }],
  ['a time too long', { expiresAt: 1e12 }],
  ['milliseconds', { expiresAt: 1_795_000_060_000 }],
  ['a time as text', { expiresAt: '1795000060' as unknown as number }],
  ['an empty request', { request: '' }],
  ['a request that is no hash', { request: 'GET /orders' }],
  ['a hash in base64', { request: hash('sha256', '', 'base64') }],
  ['a hash in hexadecimal digits', { request: hash('sha256', '', 'hex') }],
])('to %s: that is none', (_, attenuation) => {
  const narrowed = () => attenuate(token, attenuation);
  expect(narrowed).toThrow(RangeError);
  expect(narrowed).toThrow(/^(scopes|expiresAt|request) must be |^attenuation: it must narrow something$/);
});

test('nothing but an ATTENUABLE token can be narrowed', () => {
  const reference = formatOpaque(identifyingOf('r', 20_000, 1, unique), tag);
  const others = ['', 'tks_a', 'eyJhbGciOiJFZERTQSJ9.e30.', reference, token.slice(0, -1), `${token} `];
  for (const other of others) expect(() => attenuate(other, { request })).toThrow(RangeError);
});

test('one that can be narrowed no more is not made into one that nobody takes', () => {
  const narrowTo = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ expiresAt: 100 - at })).reduce(attenuate, token);
  expect((parseMacaroon(narrowTo(32)) as Macaroon).caveats).toHaveLength(32);
  expect(() => narrowTo(33)).toThrow(RangeError);
  const long = { scopes: Array.from({ length: 40 }, (_, at) => 'x'.repeat(100) + at) };
  expect(attenuate(token, long).length).toBeLessThanOrEqual(tokenCharactersMax);
  expect(() => attenuate(attenuate(token, long), long)).toThrow(RangeError);
});
