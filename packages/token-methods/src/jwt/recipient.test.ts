import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { expect, test } from 'vitest';
import { encryptionKeys } from './recipient.ts';

test.each([
  ['ECDH-ES', 'ECDH-ES+A256KW'],
  ['RSA-OAEP-256', 'RSA-OAEP'],
])('a key for %s is not taken where it says that it is for something else', async (algorithm, other) => {
  const { publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const isUsable = (more: JWK) => encryptionKeys.isUsable(JSON.stringify({ ...jwk, ...more }));
  expect(await isUsable({})).toBe(true);
  expect(await isUsable({ use: 'enc', alg: algorithm })).toBe(true);
  expect(await isUsable({ use: 'sig' })).toBe(false);
  expect(await isUsable({ alg: other })).toBe(false);
});
