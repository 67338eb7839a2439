import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { authorisationBytes, partitionOf, type Secrets, type TokenDraft, type TokenMethod } from '@touchstone/core';
import { hmac } from './keys/hmac.ts';
import { describeTokenMethod } from './token-method.contract.ts';

/**
 * A second method, for the suite alone: by value and in the open, with a mac over the string, and a mac over the record
 * in place of a seal. It shows that the port asks for no more than methods by value can give.
 */
function toyMethod(master: Uint8Array): TokenMethod {
  const mac = hmac('sha256', master);
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
  return {
    name: 'reference',
    letter: 't',
    mint(draft: TokenDraft, secrets) {
      const key = { partition: partitionOf(draft.expiresAt), key: randomBytes(16).toString('hex') };
      const authorisation = { ...draft, key, method: 'reference', signingKeyId: null } as const;
      const body = `tks_t${Buffer.from(JSON.stringify([key, secrets])).toString('base64url')}`;
      const token = `${body}_${mac(Buffer.from(body)).toString('hex')}`;
      const sealed = mac(authorisationBytes(authorisation));
      const kept = { tokenHash: hash('sha256', token), tagKeyId: 1, sealKeyId: 1, sealed, revokedRevision: null };
      return { token, record: { ...authorisation, ...kept } };
    },
    locate(token) {
      const [, body = '', given = ''] = /^(tks_t[\w-]+)_([0-9a-f]{64})$/.exec(token) ?? [];
      if (!body || !timingSafeEqual(mac(Buffer.from(body)), Buffer.from(given, 'hex'))) return null;
      const [key, secrets] = read(body.slice(5));
      return { key, material: secrets };
    },
    open({ key, material }, record) {
      if (record.sealKeyId !== 1 || record.key.key !== key.key) return null;
      const expected = mac(authorisationBytes(record));
      if (record.sealed.length !== expected.length || !timingSafeEqual(expected, record.sealed)) return null;
      return { ...(material as Secrets), scopes: record.scopes, expiresAt: record.expiresAt };
    },
  };
}

describeTokenMethod('toy', toyMethod);
