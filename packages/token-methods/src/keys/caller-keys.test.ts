import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, type GenerateKeyPairOptions, generateKeyPair, type JWK } from 'jose';
import { expect, test } from 'vitest';
import { callerKeys } from './caller-keys.ts';

const kid = 'key-1';
async function pair(alg: string, options: GenerateKeyPairOptions = {}) {
  const keys = await generateKeyPair(alg, { extractable: true, ...options });
  return {
    publicJwk: { ...(await exportJWK(keys.publicKey)), kid },
    privateJwk: { ...(await exportJWK(keys.privateKey)), kid },
  };
}
const keyIdOf = (jwk: object) => callerKeys.keyIdOf(JSON.stringify(jwk));
const algorithms = ['EdDSA', 'ES256', 'RS256'] as const;

test.each(algorithms)('a public key for %s is known by its kid, a private one is refused', async (alg) => {
  const { publicJwk, privateJwk } = await pair(alg);
  expect(await keyIdOf(publicJwk)).toBe(kid);
  expect(await keyIdOf({ ...publicJwk, alg, use: 'sig' })).toBe(kid);
  expect(await keyIdOf(privateJwk)).toBeNull();
});

const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' }) as JWK;
test.each<[string, (jwk: JWK) => object]>([
  ['without a kid', ({ kid: _, ...jwk }) => jwk],
  ['with an empty kid', (jwk) => ({ ...jwk, kid: '' })],
  ['with a kid that is no text', (jwk) => ({ ...jwk, kid: 1 })],
  ['with a kid of several lines', (jwk) => ({ ...jwk, kid: 'a\nb' })],
  ['with a kid that is too long', (jwk) => ({ ...jwk, kid: 'x'.repeat(129) })],
  ['for another algorithm', (jwk) => ({ ...jwk, alg: 'RS256' })],
  ['for encryption', (jwk) => ({ ...jwk, use: 'enc' })],
  ['that is no point of its curve', (jwk) => ({ ...jwk, x: jwk.y, y: jwk.x })],
  ['of another curve', (jwk) => ({ ...jwk, crv: 'P-384' })],
  ['that is symmetric', () => ({ kty: 'oct', k: 'AAAA', kid })],
  ['of 1024 bits', () => ({ ...shortRsa, kid })],
  ['that is none', () => ['x']],
])('a key %s is none', async (_, make) => {
  const { publicJwk } = await pair('ES256');
  expect(await keyIdOf(make(publicJwk))).toBeNull();
});

test('what is no JSON is no key', async () => {
  for (const text of ['', 'x', '{', 'null', '"x"']) expect(await callerKeys.keyIdOf(text)).toBeNull();
});
