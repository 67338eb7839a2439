import { randomBytes } from 'node:crypto';
import { decodeBase62, identifyingOf, type SigningAlgorithm, type TokenRecord } from '@touchstone/core';
import { compactVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { openKeyRing } from '../keys/key-ring.ts';
import { formatIdentity, type Identity, identify } from '../opaque/identity.ts';
import { openRecord } from '../opaque/record.ts';
import { decodePart } from '../test-jwt.ts';
import { testSigning } from '../test-keys.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { splitMethod } from './split.ts';

const keys = openKeyRing(randomBytes(32));
const algorithms: readonly (readonly [SigningAlgorithm, number])[] = [
  ['EdDSA', 64],
  ['ES256', 64],
  ['RS256', 256],
];

describe.each(algorithms)('by %s', async (algorithm, signatureBytes) => {
  const signing = await testSigning(algorithm);
  const method = splitMethod(keys, signing, 'https://tokens.example.com');
  const mint = async () => {
    const { token, record } = await method.mint(draft, secrets, null);
    return { token, record: { ...record, consentKey: null } };
  };
  const open = async (token: string, record: TokenRecord) => {
    const located = method.locate(token);
    return located && (await method.open(located, record));
  };
  const keptIn = (token: string, record: TokenRecord): string => {
    const { secrets } = identify(keys, 's', token) as Identity;
    return openRecord('split', record, secrets.seal)?.[0] as string;
  };

  test('the string holds partition, key id, signature and tag, and nothing else', async () => {
    const { token, record } = await mint();
    const bytes = decodeBase62(token.slice('tks_s'.length, -7)) as Buffer;
    expect(bytes).toHaveLength(3 + signatureBytes + 10);
    expect(bytes.readUInt16BE()).toBe(record.key.partition);
    const signature = bytes.subarray(3, 3 + signatureBytes).toString('base64url');
    // It is the signature of what the record keeps.
    const { payload } = await compactVerify(keptIn(token, record) + signature, signing.publicKey);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ sub: 'ada@example.org' });
  });

  test('the record keeps header and payload, under the seal alone, and no signature', async () => {
    const { token, record } = await mint();
    const [header, payload, signature] = keptIn(token, record).split('.');
    expect(decodePart(header)).toEqual({ alg: algorithm, typ: 'at+jwt', kid: 'key-1' });
    expect(decodePart(payload)).toMatchObject({ scope: 'orders:read orders:write', claims: secrets.claims });
    expect(signature).toBe('');
    expect(decodePart(payload).jti, 'which a guess at the payload would have to hit').toMatch(/^[0-9a-f-]{36}$/);
  });

  test('without its record nothing opens, nor with what another token keeps', async () => {
    const [one, other] = [await mint(), await mint()];
    for (const sealed of [Buffer.alloc(0), randomBytes(one.record.sealed.length), other.record.sealed]) {
      expect(await open(one.token, { ...one.record, sealed })).toBeNull();
    }
    expect(await open(one.token, other.record)).toBeNull();
  });

  test('two tokens that say the same have different strings, of one length', async () => {
    const minted = await Promise.all(Array.from({ length: 20 }, mint));
    expect(new Set(minted.map(({ token }) => token)).size).toBe(20);
    expect(new Set(minted.map(({ token }) => token.slice(10, -20))).size).toBe(20);
    expect(new Set(minted.map(({ token }) => token.length)).size).toBe(1);
  });

  test('a string that was made around another signature does not open, though its tag is right', async () => {
    const { token, record } = await mint();
    const { identifying, key } = identify(keys, 's', token) as Identity;
    const signature = Buffer.from(identifying.subarray(4));
    signature[40] = (signature[40] as number) ^ 1;
    const other = identifyingOf('s', key.partition, 1, signature);
    const identity: Identity = { identifying: other, key, secrets: keys.tokenKeys(other) };
    const forged = formatIdentity(identity);
    expect(method.locate(forged)).not.toBeNull();
    expect(await open(forged, record)).toBeNull();
  });

  test('anything behind a full stop is refused', async () => {
    const { token, record } = await mint();
    const identity = identify(keys, 's', token) as Identity;
    expect(await open(formatIdentity(identity), record)).not.toBeNull();
    expect(method.locate(formatIdentity(identity, 'x'))).toBeNull();
  });
});
