import { randomBytes } from 'node:crypto';
import {
  type Ancestor,
  ancestorsMax,
  decide,
  parseTokenId,
  partitionOf,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
  tokenIdOf,
  tokenMethods,
  Watermarks,
} from '@touchstone/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const parent: Ancestor = {
  tokenId: 'tok_parent',
  sequence: 7,
  tenantId: 'acme',
  appId: 'web',
  userHandle: 'handle',
  consentId: 'consent',
  audience: 'https://shop.example.com',
  signingKeyId: 'key',
  expiresAt: 1_795_007_200_000,
};

export const draft: TokenDraft = {
  tokenClass: 'token',
  tenantId: 'acme',
  appId: 'app',
  userHandle: 'handle',
  consentId: null,
  audience: 'https://orders.example.com',
  scopes: ['orders:read', 'orders:write'],
  usage: 'interactive',
  policyVersion: 3,
  confirmation: null,
  lineage: [parent],
  sequence: 42,
  issuedAt: 1_795_000_000_000,
  expiresAt: 1_795_003_600_000,
};

export const secrets: Secrets = {
  userId: 'ada@example.org',
  claims: { name: 'Ada', nested: { list: [1, 'two', null, true] } },
  principal: null,
};

/** A change of each deciding column, as one who can write to the database might make it. */
const edits: Readonly<Record<string, Partial<TokenRecord>>> = {
  key: { key: { partition: 9, key: 'f'.repeat(32) } },
  tokenClass: { tokenClass: 'credential' },
  tenantId: { tenantId: 'evil' },
  appId: { appId: 'evil' },
  userHandle: { userHandle: null },
  consentId: { consentId: 'another' },
  audience: { audience: 'https://payments.example.com' },
  scopes: { scopes: ['orders:read', 'orders:write', 'orders:admin'] },
  usage: { usage: 'batch' },
  signingKeyId: { signingKeyId: 'another' },
  policyVersion: { policyVersion: 4 },
  confirmation: { confirmation: '{}' },
  lineage: { lineage: [] },
  'lineage, tokenId': { lineage: [{ ...parent, tokenId: 'tok_another' }] },
  'lineage, sequence': { lineage: [{ ...parent, sequence: 8 }] },
  'lineage, tenantId': { lineage: [{ ...parent, tenantId: 'evil' }] },
  'lineage, appId': { lineage: [{ ...parent, appId: null }] },
  'lineage, userHandle': { lineage: [{ ...parent, userHandle: null }] },
  'lineage, consentId': { lineage: [{ ...parent, consentId: null }] },
  'lineage, audience': { lineage: [{ ...parent, audience: 'another' }] },
  'lineage, signingKeyId': { lineage: [{ ...parent, signingKeyId: null }] },
  'lineage, expiresAt': { lineage: [{ ...parent, expiresAt: parent.expiresAt + 1 }] },
  sequence: { sequence: 43 },
  issuedAt: { issuedAt: draft.issuedAt + 1 },
  expiresAt: { expiresAt: draft.expiresAt + 86_400_000 },
  sealKeyId: { sealKeyId: 2 },
  sealed: { sealed: randomBytes(60) },
};

/** What every token method promises. */
export function describeTokenMethod(name: string, open: (master: Uint8Array) => TokenMethod): void {
  const method = open(randomBytes(32));
  const methods = tokenMethods([method]);
  const openString = (token: string, record: TokenRecord, by = method) => {
    const located = by.locate(token);
    return located && by.open(located, record);
  };

  describe(`token method ${name}`, () => {
    test('a minted string leads to its record and opens it, to no more than the record allows', () => {
      const { token, record } = method.mint(draft, secrets);
      expect(method.locate(token)?.key).toEqual(record.key);
      const opened = openString(token, record);
      expect(opened).toMatchObject(secrets);
      expect(draft.scopes).toEqual(expect.arrayContaining([...(opened?.scopes ?? [])]));
      expect(opened?.expiresAt).toBeLessThanOrEqual(draft.expiresAt);
    });

    test('among the methods of an installation it is found by its letter, and honoured for what its string allows', () => {
      const { token, record } = methods.mint(method.name, draft, secrets);
      const found = methods.locate(token);
      expect(found?.method).toBe(method);
      const opened = openString(token, record);
      if (!found || !opened) throw new Error('it does not open');
      const { tokenClass, audience } = draft;
      const asked = (scope: string, now: number, marks = new Watermarks()) =>
        decide(
          record,
          (read) => found.method.open(found.located, read),
          marks,
          { tokenClass, audience, scopes: [scope] },
          now,
        );
      const { scopes, expiresAt } = opened;
      for (const scope of [...draft.scopes, 'orders:admin']) {
        expect(asked(scope, expiresAt - 1).active, scope).toBe(scopes.includes(scope));
        expect(asked(scope, expiresAt)).toEqual({ active: false, reason: 'expired' });
      }
      const cut = { revocationId: 'r', kind: 'all', key: '', tokenClass, sparedTokenId: null } as const;
      const marks = new Watermarks();
      marks.raise({ ...cut, ceiling: record.sequence, coversUntil: null });
      expect(asked('orders:read', draft.issuedAt, marks)).toEqual({ active: false, reason: 'revoked' });
    });

    test('it is not made with more ancestors than a token may have', () => {
      const derived = (count: number) => ({ ...draft, lineage: Array.from({ length: count }, () => parent) });
      expect(methods.mint(method.name, derived(ancestorsMax), secrets).record.lineage).toHaveLength(ancestorsMax);
      expect(() => methods.mint(method.name, derived(ancestorsMax + 1), secrets)).toThrow(RangeError);
    });

    test('the record says what the draft said, in the partition of its expiry, and names the token by an id', () => {
      const { record } = method.mint(draft, secrets);
      expect(record).toMatchObject(draft);
      expect(record.key.partition).toBe(partitionOf(draft.expiresAt));
      expect(parseTokenId(tokenIdOf(record.key))).toEqual(record.key);
    });

    test('no two strings, keys or sealed parts are alike', () => {
      const minted = Array.from({ length: 50 }, () => method.mint(draft, secrets));
      expect(new Set(minted.map(({ token }) => token)).size).toBe(50);
      expect(new Set(minted.map(({ record }) => record.key.key)).size).toBe(50);
    });

    test('a string changed in any place is refused, or opens nothing', () => {
      const { token, record } = method.mint(draft, secrets);
      const place = fc.integer({ min: 0, max: token.length - 1 });
      const character = fc.constantFrom(...'09AZaz_-.=+/ \0é');
      fc.assert(
        fc.property(place, character, (at, replacement) => {
          fc.pre(token[at] !== replacement);
          expect(openString(token.slice(0, at) + replacement + token.slice(at + 1), record)).toBeNull();
        }),
        { numRuns: 500 },
      );
    });

    test('a string cut short, lengthened or made up is refused', () => {
      const { token, record } = method.mint(draft, secrets);
      for (let end = 0; end < token.length; end++) expect(openString(token.slice(0, end), record)).toBeNull();
      for (const more of ['0', '_', ' ', token]) expect(openString(token + more, record)).toBeNull();
      fc.assert(
        fc.property(fc.string({ maxLength: 100 }), (text) => {
          expect(method.locate(text)).toBeNull();
          expect(method.locate(`tks_${method.letter}${text}`)).toBeNull();
        }),
      );
    });

    test("another installation's keys neither locate nor open it", () => {
      const { token, record } = method.mint(draft, secrets);
      expect(openString(token, record, open(randomBytes(32)))).toBeNull();
    });

    test.each(Object.keys(edits))('a record whose %s has been changed does not open', (column) => {
      const { token, record } = method.mint(draft, secrets);
      expect(openString(token, { ...record, ...edits[column] })).toBeNull();
    });

    test("another token's record does not open", () => {
      const [one, other] = [method.mint(draft, secrets), method.mint(draft, secrets)];
      expect(openString(one.token, other.record)).toBeNull();
      expect(openString(one.token, { ...other.record, key: one.record.key })).toBeNull();
    });
  });
}
