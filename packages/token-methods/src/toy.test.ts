import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  authorisationBytes,
  type Opened,
  partitionOf,
  type TokenDraft,
  type TokenMethod,
  type TokenMethodName,
  tokenMethods,
} from '@touchstone/core';
import { expect, test } from 'vitest';
import { hmac } from './keys/hmac.ts';
import { openKeyRing } from './keys/key-ring.ts';
import { referenceMethod } from './reference/reference.ts';
import { describeTokenMethod, draft, secrets } from './token-method.contract.ts';

const name = 'toy' as TokenMethodName;

/**
 * A second method, for the suite alone: by value and in the open, with a mac over the string, and a mac over the record
 * in place of a seal. Its strings allow less than their records, as an attenuated one does. It shows that the port asks
 * for no more than methods by value can give.
 */
function toyMethod(master: Uint8Array): TokenMethod {
  const mac = hmac('sha256', master);
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
  return {
    name,
    letter: 't',
    mint(draft: TokenDraft, secrets) {
      const key = { partition: partitionOf(draft.expiresAt), key: randomBytes(16).toString('hex') };
      const authorisation = { ...draft, key, method: name, signingKeyId: null };
      const opened: Opened = { ...secrets, scopes: draft.scopes.slice(0, 1), expiresAt: draft.expiresAt - 60_000 };
      const body = `tks_t${Buffer.from(JSON.stringify([key, opened])).toString('base64url')}`;
      const token = `${body}_${mac(Buffer.from(body)).toString('hex')}`;
      const sealed = mac(authorisationBytes(authorisation));
      const kept = { tokenHash: hash('sha256', token), tagKeyId: 1, sealKeyId: 1, sealed };
      return { token, record: { ...authorisation, ...kept } };
    },
    locate(token) {
      const [, body = '', given = ''] = /^(tks_t[\w-]+)_([0-9a-f]{64})$/.exec(token) ?? [];
      if (!body || !timingSafeEqual(mac(Buffer.from(body)), Buffer.from(given, 'hex'))) return null;
      const [key, material] = read(body.slice(5));
      return { key, material };
    },
    open({ key, material }, record) {
      if (record.method !== name || record.sealKeyId !== 1 || record.key.key !== key.key) return null;
      const expected = mac(authorisationBytes(record));
      if (record.sealed.length !== expected.length || !timingSafeEqual(expected, record.sealed)) return null;
      return material as Opened;
    },
  };
}

describeTokenMethod('toy', toyMethod);

test("two methods stand side by side: each string is its own method's, and no record opens under the other", () => {
  const master = randomBytes(32);
  const [reference, toy] = [referenceMethod(openKeyRing(master)), toyMethod(master)];
  const methods = tokenMethods([reference, toy]);
  for (const [own, other] of [
    [reference, toy],
    [toy, reference],
  ] as const) {
    const { token, record } = methods.mint(own.name, draft, secrets);
    expect(record.method).toBe(own.name);
    const found = methods.locate(token);
    expect(found?.method).toBe(own);
    expect(found && own.open(found.located, record)).not.toBeNull();
    expect(found && own.open(found.located, { ...record, method: other.name })).toBeNull();
    expect(methods.locate(token.replace(`tks_${own.letter}`, `tks_${other.letter}`))).toBeNull();
  }
});

test('a method that the installation does not know neither makes nor finds anything', () => {
  const methods = tokenMethods([toyMethod(randomBytes(32))]);
  expect(() => methods.mint('reference', draft, secrets)).toThrow('no token method is called reference');
  for (const text of ['', 'tks_', 'tks_x', 'tks_r0', 'TKS_t0', 'tks_toString', ' tks_t0']) {
    expect(methods.locate(text)).toBeNull();
  }
});
