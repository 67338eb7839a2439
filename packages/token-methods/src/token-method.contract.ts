import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  type Ancestor,
  ancestorsMax,
  decide,
  encodeBase62,
  parseTokenId,
  partitionOf,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
  tokenIdOf,
  tokenMethods,
  Watermarks,
  type WrappedKey,
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
  consentId: 'con_1',
  audience: 'https://orders.example.com',
  scopes: ['orders:read', 'orders:write'],
  usage: 'interactive',
  policyVersion: 3,
  confirmation: null,
  lineage: [parent],
  sequence: 42,
  drawnOn: 'server',
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
  consentId: { consentId: 'con_2' },
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

/** A method, and the key of the draft's consent as the database would give it out. */
export interface MethodUnderTest {
  readonly method: TokenMethod;
  readonly consentKey?: WrappedKey;
}

/** What every token method promises. @param open the method of an installation with this data key. */
export function describeTokenMethod(name: string, open: (installation: Uint8Array) => Promise<MethodUnderTest>): void {
  describe(`token method ${name}`, async () => {
    const { method, consentKey = null } = await open(randomBytes(32));
    const methods = tokenMethods([method]);
    const asRead = (record: TokenRecord): TokenRecord => ({ ...record, consentKey });
    async function mint(over: Partial<TokenDraft> = {}) {
      const { token, record } = await method.mint({ ...draft, ...over }, secrets, consentKey);
      return { token, written: record, record: asRead(record) };
    }
    async function openString(token: string, record: TokenRecord, by = method) {
      const located = by.locate(token);
      return located && (await by.open(located, record));
    }

    test('a minted string leads to its record and opens it, to no more than the record allows', async () => {
      const { token, record } = await mint();
      expect(method.locate(token)?.key).toEqual(record.key);
      const opened = await openString(token, record);
      expect(opened).toMatchObject({ ...secrets, requests: [] });
      expect(draft.scopes).toEqual(expect.arrayContaining([...(opened?.scopes ?? [])]));
      expect(opened?.expiresAt).toBeLessThanOrEqual(draft.expiresAt);
      expect(await openString(token, record), 'and again').toEqual(opened);
    });

    test('one without a user tells of none', async () => {
      const { token, record } = await method.mint(
        { ...draft, userHandle: null },
        { ...secrets, userId: null },
        consentKey,
      );
      expect(await openString(token, asRead(record))).toMatchObject({ userId: null, claims: secrets.claims });
    });

    test('among the methods of an installation it is found by what it begins with, and honoured for what its string allows', async () => {
      const minted = await methods.mint(method.name, draft, secrets, consentKey);
      const record = asRead(minted.record);
      const found = methods.locate(minted.token);
      expect(found?.method).toBe(method);
      const opened = await openString(minted.token, record);
      if (!opened) throw new Error('it does not open');
      const { tokenClass, audience } = draft;
      const asked = (scope: string, now: number, marks = new Watermarks()) =>
        decide(record, opened, marks, { tokenClass, audience, scopes: [scope], request: null, proof: null }, now, null);
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

    test('it is not made with more ancestors than a token may have', async () => {
      const derived = (count: number) =>
        methods.mint(
          method.name,
          { ...draft, lineage: Array.from({ length: count }, () => parent) },
          secrets,
          consentKey,
        );
      expect((await derived(ancestorsMax)).record.lineage).toHaveLength(ancestorsMax);
      await expect(derived(ancestorsMax + 1)).rejects.toThrow(RangeError);
    });

    test('the record says what the draft said, in the partition of its expiry, and names the token by an id', async () => {
      const { token, written } = await mint();
      expect(written).toMatchObject(draft);
      expect(written.method).toBe(method.name);
      expect(written.key.partition).toBe(partitionOf(draft.expiresAt));
      expect(parseTokenId(tokenIdOf(written.key))).toEqual(written.key);
      expect(written.tokenHash).toBe(hash('sha256', token));
    });

    test('no two strings, keys or sealed parts are alike', async () => {
      const minted = await Promise.all(Array.from({ length: 50 }, () => mint()));
      expect(new Set(minted.map(({ token }) => token)).size).toBe(50);
      expect(new Set(minted.map(({ record }) => record.key.key)).size).toBe(50);
      expect(new Set(minted.map(({ record }) => record.sealed.toString('hex'))).size).toBe(50);
    });

    test('the record tells neither the user nor a claim', async () => {
      const { record } = await mint();
      const everything = JSON.stringify({ ...record, sealed: record.sealed.toString('latin1') });
      for (const canary of ['ada@example.org', 'Ada', 'nested']) expect(everything).not.toContain(canary);
    });

    test('a string changed in any place is refused, or opens nothing', async () => {
      const { token, record } = await mint();
      const place = fc.integer({ min: 0, max: token.length - 1 });
      const character = fc.constantFrom(...'09AZaz_-.=+/ \0é');
      await fc.assert(
        fc.asyncProperty(place, character, async (at, replacement) => {
          fc.pre(token[at] !== replacement);
          expect(await openString(token.slice(0, at) + replacement + token.slice(at + 1), record)).toBeNull();
        }),
        { numRuns: 500 },
      );
    });

    test('so is one of which any bit was changed, with a checksum that fits', async () => {
      const { token, record } = await mint();
      for (let at = 0; at < token.length; at++) {
        for (const replacement of neighboursOf(token.charAt(at))) {
          const changed = withChecksum(token.slice(0, at) + replacement + token.slice(at + 1));
          if (changed !== token) expect(await openString(changed, record), `character ${at}`).toBeNull();
        }
      }
    });

    test('a string cut short, lengthened or made up is refused', async () => {
      const { token, record } = await mint();
      for (let end = 0; end < token.length; end++) expect(await openString(token.slice(0, end), record)).toBeNull();
      for (const more of ['0', '_', ' ', '.', '.x', token]) {
        expect(await openString(token + more, record)).toBeNull();
        const within = withChecksum(token.replace(/_[0-9A-Za-z]{6}$/, `${more}$&`));
        if (within !== token) expect(await openString(within, record)).toBeNull();
      }
      fc.assert(
        fc.property(fc.string({ maxLength: 100 }), (text) => {
          expect(method.locate(text)).toBeNull();
          expect(method.locate(method.prefix + text)).toBeNull();
        }),
      );
    });

    test("another installation's keys neither locate nor open it", async () => {
      const { token, record } = await mint();
      const other = await open(randomBytes(32));
      expect(await openString(token, record, other.method)).toBeNull();
    });

    test.each(Object.keys(edits))('a record whose %s has been changed does not open', async (column) => {
      const { token, record } = await mint();
      expect(await openString(token, { ...record, ...edits[column] })).toBeNull();
      // Whatever was remembered of the string before.
      expect(await openString(token, record)).not.toBeNull();
      expect(await openString(token, { ...record, ...edits[column] })).toBeNull();
    });

    test("another token's record does not open", async () => {
      const [one, other] = [await mint(), await mint()];
      expect(await openString(one.token, other.record)).toBeNull();
      expect(await openString(one.token, { ...other.record, key: one.record.key })).toBeNull();
      expect(await openString(one.token, { ...one.record, sealed: other.record.sealed })).toBeNull();
    });

    test('no more is put into a string than any RPC takes', async () => {
      const scopes = Array.from({ length: 64 }, (_, i) => `orders:${'x'.repeat(118)}${i}`);
      const claims = { text: 'x'.repeat(4_000) };
      const minted = await methods
        .mint(method.name, { ...draft, scopes }, { ...secrets, claims }, consentKey)
        .catch((e) => e);
      if (minted instanceof Error) expect(minted).toMatchObject({ code: 'token_too_long' });
      else expect(minted.token.length).toBeLessThanOrEqual(8_192);
    });
  });
}

/** What differs from a character of base62 or base64url in little: the bits at the end of a part count there, or don't. */
function neighboursOf(character: string): string[] {
  const code = character.charCodeAt(0);
  return [code ^ 1, code ^ 2, code ^ 4].map((other) => String.fromCharCode(other));
}

/** The string with the checksum that belongs to it, where it is of a form that has one. */
export function withChecksum(token: string): string {
  if (!/^tks_.*_......$/s.test(token)) return token;
  const body = token.slice(0, -6);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return body + encodeBase62(sum);
}
