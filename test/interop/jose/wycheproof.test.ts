import { createDecipheriv, webcrypto } from 'node:crypto';
import { compactVerify, importJWK, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { decrypt } from '../../../packages/token-methods/src/jwt/encryption.ts';
import { openWycheproof, type Vector, type VectorGroup, type Wycheproof } from './wycheproof.ts';

const wycheproof = (await openWycheproof()) as Wycheproof;
const bytes = (hex: unknown) => Buffer.from(hex as string, 'hex');
const named = ({ tcId, comment, flags }: Vector): string => `${tcId} ${comment} ${flags}`;

/** Fails where any is taken that should not be, or is not that should. @returns how many there were. */
async function judge(
  groups: readonly VectorGroup[],
  isTaken: (vector: Vector, group: VectorGroup) => Promise<boolean>,
): Promise<number> {
  const wrong: string[] = [];
  for (const group of groups) {
    for (const vector of group.tests) {
      const taken = await isTaken(vector, group);
      if (vector.result !== 'acceptable' && taken !== (vector.result === 'valid')) wrong.push(named(vector));
    }
  }
  expect(wrong).toEqual([]);
  return groups.reduce((sum, { tests }) => sum + tests.length, 0);
}

const succeeds = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

describe.skipIf(wycheproof === null)('the vectors of Project Wycheproof', () => {
  test.each([
    ['ES256', 39],
    ['RS256', 200],
  ] as const)('JWS by %s', async (algorithm, least) => {
    const groups = await wycheproof('json_web_signature_test.json');
    const keyOf = (group: VectorGroup) => (group.public ?? group.private) as JWK;
    const ours = groups.filter((group) => keyOf(group).alg === algorithm);
    const count = await judge(ours, async ({ jws }, group) => {
      const key = await importJWK(keyOf(group), algorithm);
      return succeeds(compactVerify(jws as string, key, { algorithms: [algorithm] }));
    });
    expect(count).toBeGreaterThanOrEqual(least);
  });

  test('no JWE of another kind than ours is decrypted', async () => {
    const groups = await wycheproof('json_web_encryption_test.json');
    const symmetric = groups.filter(({ private: key }) => (key as JWK).kty === 'oct');
    expect(symmetric.length).toBeGreaterThan(5);
    for (const { private: key, tests } of symmetric) {
      for (const vector of tests) {
        const { k } = key as { k: string };
        expect(await decrypt(vector.jwe as string, Buffer.from(k, 'base64url')), named(vector)).toBeNull();
      }
    }
  });

  // What signs and encrypts below JOSE.
  test.each([
    ['ed25519_test.json', { name: 'Ed25519' }, 150],
    ['ecdsa_secp256r1_sha256_p1363_test.json', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }, 260],
    ['rsa_signature_2048_sha256_test.json', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, 250],
    ['rsa_signature_3072_sha256_test.json', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, 250],
  ])('%s', async (file, algorithm, least) => {
    const count = await judge(await wycheproof(file), async ({ msg, sig }, { publicKeyDer }) => {
      const key = await webcrypto.subtle.importKey('spki', bytes(publicKeyDer), algorithm, false, ['verify']);
      return webcrypto.subtle.verify(algorithm, key, bytes(sig), bytes(msg));
    });
    expect(count).toBeGreaterThanOrEqual(least);
  });

  test('AES-256-GCM, as records are sealed and tokens encrypted', async () => {
    const groups = await wycheproof('aes_gcm_test.json');
    const ours = groups.filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128);
    const count = await judge(ours, async ({ key, iv, aad, msg, ct, tag }) => {
      const sealed = await succeeds(
        (async () => {
          const decipher = createDecipheriv('aes-256-gcm', bytes(key), bytes(iv)).setAAD(bytes(aad));
          decipher.setAuthTag(bytes(tag));
          expect(Buffer.concat([decipher.update(bytes(ct)), decipher.final()])).toEqual(bytes(msg));
        })(),
      );
      const imported = await webcrypto.subtle.importKey('raw', bytes(key), 'AES-GCM', false, ['decrypt']);
      const parameters = { name: 'AES-GCM', iv: bytes(iv), additionalData: bytes(aad) };
      const ciphertext = Buffer.concat([bytes(ct), bytes(tag)]);
      const encrypted = await succeeds(webcrypto.subtle.decrypt(parameters, imported, ciphertext));
      expect(encrypted).toBe(sealed);
      return sealed;
    });
    expect(count).toBeGreaterThan(50);
  });
});
