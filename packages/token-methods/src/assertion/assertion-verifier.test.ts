import { createHmac } from 'node:crypto';
import { CompactEncrypt, exportJWK, exportSPKI, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { assertionVerifier } from './assertion-verifier.ts';

const client = 'app:orders';
const claims = { iss: client, sub: client, aud: 'touchstone', jti: 'j1', exp: 2_000_000_060, iat: 2_000_000_000 };
const { read, isSignedBy } = assertionVerifier;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (header: object, payload: object, signature = '') => `${part(header)}.${part(payload)}.${signature}`;
const jwtOf = (header: object = {}, over: object = {}) =>
  unsigned({ alg: 'EdDSA', kid: 'k1', ...header }, { ...claims, ...over });

describe('what an assertion says', () => {
  test('it says who, for how long, and what it is good for once', () => {
    expect(read(jwtOf())).toEqual({
      client,
      keyId: 'k1',
      jti: 'j1',
      beginsAt: 2_000_000_000_000,
      expiresAt: 2_000_000_060_000,
    });
    expect(read(jwtOf({ typ: 'JWT' }, { aud: ['touchstone'], nbf: 2_000_000_001 }))).toMatchObject({
      beginsAt: 2_000_000_001_000,
    });
    expect(read(jwtOf({ typ: 'client-authentication+jwt' }, { iat: undefined }))).toMatchObject({ beginsAt: null });
  });

  test.each<[string, object, object]>([
    ['without a kid', { kid: undefined }, {}],
    ['whose kid is no text', { kid: 1 }, {}],
    ['of the type of DPoP proofs', { typ: 'dpop+jwt' }, {}],
    ['of the type of access tokens', { typ: 'at+jwt' }, {}],
    ['with what is critical', { crit: ['exp'] }, {}],
    ['of nobody', {}, { iss: undefined, sub: undefined }],
    ['by one for another', {}, { iss: 'app:other' }],
    ['without a subject', {}, { sub: undefined }],
    ['for another audience', {}, { aud: 'https://orders.example.com' }],
    ['for another audience, too', {}, { aud: ['touchstone', 'https://orders.example.com'] }],
    ['for no audience', {}, { aud: undefined }],
    ['without a jti', {}, { jti: undefined }],
    ['with an empty jti', {}, { jti: '' }],
    ['with a jti that is too long', {}, { jti: 'x'.repeat(257) }],
    ['with a jti that is no text', {}, { jti: 1 }],
    ['without an end', {}, { exp: undefined }],
    ['with an end that is text', {}, { exp: '2000000060' }],
    ['with an end that is no date', {}, { exp: 1e300 }],
    ['with a beginning that is text', {}, { nbf: '1' }],
    ['with a birth that is text', {}, { iat: '1' }],
    ['that is too long', {}, { more: 'x'.repeat(4_096) }],
  ])('a JWT %s is none', (_, header, over) => {
    expect(read(jwtOf(header, over))).toBeNull();
  });

  test('what is no JWT is none', () => {
    for (const text of ['', 'eyJ', 'eyJhbGciOiJub25lIn0', 'a.b.c', `${part({ kid: 'k1' })}.${part([])}.`]) {
      expect(read(text), text).toBeNull();
    }
  });
});

describe.each(['EdDSA', 'ES256', 'RS256'] as const)('an assertion by %s', (alg) => {
  let sign: (header?: Partial<JWTHeaderParameters>) => Promise<string>;
  let jwk: string;
  let other: string;
  let pem: string;
  beforeAll(async () => {
    const [keys, others] = [await generateKeyPair(alg), await generateKeyPair(alg)];
    jwk = JSON.stringify(await exportJWK(keys.publicKey));
    other = JSON.stringify(await exportJWK(others.publicKey));
    pem = await exportSPKI(keys.publicKey);
    sign = (header) => new SignJWT(claims).setProtectedHeader({ alg, kid: 'k1', ...header }).sign(keys.privateKey);
  });

  test('is signed by its key, and by no other', async () => {
    const jwt = await sign();
    expect(await isSignedBy(jwt, jwk)).toBe(true);
    expect(await isSignedBy(jwt, other)).toBe(false);
    expect(await isSignedBy(jwt, await otherKind(alg))).toBe(false);
  });

  test('is not signed once a bit of it is another', async () => {
    const [head, payload, signature] = (await sign()).split('.') as [string, string, string];
    const changed = part({ ...claims, jti: 'j2' });
    expect(await isSignedBy(`${head}.${changed}.${signature}`, jwk)).toBe(false);
    expect(await isSignedBy(`${head}.${payload}.`, jwk)).toBe(false);
    expect(await isSignedBy(`${head}.${payload}.${signature.slice(4)}`, jwk)).toBe(false);
  });

  test('is not signed by no algorithm, nor by a symmetric one with what everybody knows', async () => {
    expect(await isSignedBy(jwtOf({ alg: 'none' }), jwk)).toBe(false);
    for (const secret of [jwk, pem]) {
      const input = `${part({ alg: 'HS256', kid: 'k1' })}.${part(claims)}`;
      const jwt = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      expect(await isSignedBy(jwt, jwk)).toBe(false);
    }
  });

  test('is verified with the key that is registered, not with one that it brings along', async () => {
    const keys = await generateKeyPair(alg, { extractable: true });
    const brought = await exportJWK(keys.publicKey);
    const jwt = await new SignJWT(claims)
      .setProtectedHeader({ alg, kid: 'k1', jwk: brought, x5c: [], jku: 'https://example.com' })
      .sign(keys.privateKey);
    expect(await isSignedBy(jwt, jwk)).toBe(false);
  });
});

async function otherKind(alg: string): Promise<string> {
  const { publicKey } = await generateKeyPair(alg === 'ES256' ? 'EdDSA' : 'ES256');
  return JSON.stringify(await exportJWK(publicKey));
}

test('an encrypted JWT is none', async () => {
  const { publicKey } = await generateKeyPair('ECDH-ES', { crv: 'X25519' });
  const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'k1' })
    .encrypt(publicKey);
  expect(read(jwe)).toBeNull();
});
