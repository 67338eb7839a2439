import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeBase62, encodeBase62 } from '@touchstone/core';
import { expect, test } from 'vitest';
import { openKeyRing } from '../keys/key-ring.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { referenceMethod } from './reference.ts';

const method = referenceMethod(openKeyRing(randomBytes(32)));

test('the string allows what its record does', () => {
  const { token, record } = method.mint(draft, secrets);
  const located = method.locate(token);
  expect(located && method.open(located, record)).toEqual({
    ...secrets,
    scopes: draft.scopes,
    expiresAt: draft.expiresAt,
    requests: [],
    actors: [],
  });
});

test('the string looks as secret scanners expect: a fixed prefix, letters and digits, a checksum', () => {
  const { token } = method.mint(draft, secrets);
  expect(token).toMatch(/^tks_r[0-9A-Za-z]{63}_[0-9A-Za-z]{6}$/);
});

test('the record keeps the SHA-256 of the string, so that leaked hashes can be matched', () => {
  const { token, record } = method.mint(draft, secrets);
  expect(record.tokenHash).toBe(hash('sha256', token));
});

test('neither the record nor the string holds a claim or the user', () => {
  const { token, record } = method.mint(draft, secrets);
  const everything = token + JSON.stringify({ ...record, sealed: record.sealed.toString('latin1') });
  for (const canary of ['ada@example.org', 'Ada', 'nested']) expect(everything).not.toContain(canary);
});

test('a string of the right form and checksum is located only under the keys that made it, whatever byte of it is changed', () => {
  const { token } = method.mint(draft, secrets);
  expect(referenceMethod(openKeyRing(randomBytes(32))).locate(token)).toBeNull();
  const payload = decodeBase62(token.slice(5, -7)) as Buffer;
  for (let at = 0; at < payload.length; at++) {
    const changed = Buffer.from(payload);
    changed[at] = (changed[at] as number) ^ 1;
    const body = `tks_r${encodeBase62(changed)}_`;
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    expect(method.locate(body + encodeBase62(sum)), `byte ${at}`).toBeNull();
  }
});
