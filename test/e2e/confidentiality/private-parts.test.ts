import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { findCanaries } from '../../harness/canary.ts';
import { privateParts } from './stored-keys.ts';

const keys = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
};

describe.each(Object.entries(keys))('a key of %s', (_, { privateKey, publicKey }) => {
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const jwk = privateKey.export({ format: 'jwk' });
  const canaries = privateParts(pem, 'a private key');
  const found = (bytes: Buffer) => findCanaries([{ name: 'here', bytes }], canaries);

  test.each([
    ['PKCS #8 as PEM', Buffer.from(pem)],
    ['PEM inside JSON', Buffer.from(JSON.stringify({ pem }))],
    ['PKCS #8 as DER', privateKey.export({ format: 'der', type: 'pkcs8' })],
    ['DER in hexadecimal digits', Buffer.from(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex'))],
    ['a JWK', Buffer.from(JSON.stringify(jwk))],
    ['its d alone', Buffer.from(jwk.d as string, 'base64url')],
  ])('is found as %s', async (_form, bytes) => {
    expect(await found(bytes)).not.toEqual([]);
  });

  test('its public half is not taken for it', async () => {
    expect(await found(Buffer.from(publicKey.export({ format: 'pem', type: 'spki' })))).toEqual([]);
    expect(await found(Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' }))))).toEqual([]);
  });
});
