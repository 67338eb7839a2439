import { generateKeyPairSync } from 'node:crypto';
import { TokenMethod } from '@touchstone/contracts';
import { type CryptoKey, compactDecrypt, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { openWorld, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { addServer, type Server } from './support-servers.ts';

const { REFERENCE, SIGNED } = TokenMethod;
const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const validate = ({ audience, clients }: Server, token: string) =>
  clients.validator.validateToken({ token, audience, requiredScopes: ['orders:read'] });

async function decrypt(jwe: string, privateKey: CryptoKey): Promise<string> {
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, privateKey);
  expect(protectedHeader).toMatchObject({ enc: 'A256GCM', cty: 'JWT', kid: 'ours' });
  return Buffer.from(plaintext).toString();
}

/** As a resource server does that asks nobody. */
const verify = (jws: string, audience: string) =>
  jwtVerify(jws, createRemoteJWKSet(new URL('/.well-known/jwks.json', stack.http.issuer)), { audience });

async function keyFor(algorithm: string, options: object) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true, ...options });
  const encryptionJwk = JSON.stringify({ ...(await exportJWK(publicKey)), kid: 'ours', use: 'enc', alg: algorithm });
  return { privateKey, encryptionJwk, privateJwk: JSON.stringify(await exportJWK(privateKey)) };
}

describe.each([
  ['ECDH-ES', { crv: 'P-256' }],
  ['ECDH-ES', { crv: 'P-384' }],
  ['ECDH-ES', { crv: 'P-521' }],
  ['ECDH-ES', { crv: 'X25519' }],
  ['RSA-OAEP-256', { modulusLength: 2_048 }],
])('where the audience has registered a key for %s, %o', (algorithm, options) => {
  test('a SIGNED token is read by nobody but its audience, which verifies it, and asks about it', async () => {
    const { privateKey, encryptionJwk } = await keyFor(algorithm, options);
    const server = await addServer(stack, world, { encryptionJwk, releasedClaims: ['email'] });
    const { audience } = server;
    const appId = await world.addApp({ methods: [SIGNED], grants: [{ audience, scopes: ['orders:read'] }] });
    const { token } = await world.issue({ appId, audience, method: SIGNED });
    const texts = [token, ...token.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'))];
    for (const canary of ['ada', 'orders:read', audience]) {
      expect(texts.filter((text) => text.includes(canary))).toEqual([]);
    }
    const inside = await decrypt(token, privateKey);
    const { payload } = await verify(inside, audience);
    expect(payload).toMatchObject({ sub: 'ada', claims: { email: 'ada@example.org' } });
    expect(await validate(server, inside)).toMatchObject({ active: true, claims: { email: 'ada@example.org' } });
    expect(await validate(server, token)).toMatchObject({ active: false });
    // Who has the string can have it revoked, without being able to read it.
    await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
    expect(await validate(server, inside)).toMatchObject({ active: false });
  });
});

test('what is exchanged to it holds what it is shown, though the one that exchanges is not', async () => {
  const { privateKey, encryptionJwk } = await keyFor('ECDH-ES', { crv: 'P-256' });
  const stock = await addServer(stack, world, { encryptionJwk, releasedClaims: ['email'] });
  const edge = { audience: stock.audience, scopes: [{ from: 'orders:read', to: 'orders:read' }] };
  const orders = await addServer(stack, world, { exchanges: [edge], releasedClaims: ['name'] });
  const grants = [orders, stock].map(({ audience }) => ({ audience, scopes: ['orders:read'] }));
  const appId = await world.addApp({ methods: [REFERENCE, SIGNED], grants });
  const parent = await world.issue({ appId, audience: orders.audience });
  const request = { token: parent.token, audience: stock.audience, scopes: ['orders:read'], method: SIGNED };
  const child = await orders.clients.issuer.exchangeToken(request);
  const inside = await decrypt(child.token, privateKey);
  const { payload } = await verify(inside, stock.audience);
  expect(payload).toMatchObject({ claims: { email: 'ada@example.org' }, act: { sub: orders.audience } });
  expect(await validate(stock, inside)).toMatchObject({ active: true, claims: { email: 'ada@example.org' } });
  await world.operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: parent.tokenId } });
  expect(await validate(stock, inside)).toMatchObject({ active: false });
});

test('bound to a key it is refused: the proof would be for what its audience gets, not for what is inside', async () => {
  const { encryptionJwk } = await keyFor('ECDH-ES', { crv: 'P-256' });
  const { audience } = await addServer(stack, world, { encryptionJwk });
  const appId = await world.addApp({ methods: [REFERENCE, SIGNED], grants: [{ audience, scopes: ['orders:read'] }] });
  const [key, certificate] = (['keySha256', 'certificateSha256'] as const).map((field) => ({
    confirmation: { method: { case: field, value: 'A'.repeat(43) } },
  }));
  const issue = (method: TokenMethod, bound: typeof key) => world.issue({ appId, audience, method, ...bound });
  expect(await failureOf(issue(SIGNED, key))).toMatchObject({
    code: 'InvalidArgument',
    metadata: expect.objectContaining({ field: 'method' }),
  });
  await issue(SIGNED, certificate);
  await issue(REFERENCE, key);
});

describe('as a key that is encrypted to is refused', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' });
  const [agreed, signing] = [await keyFor('ECDH-ES', { crv: 'P-256' }), await keyFor('EdDSA', {})];
  test.each([
    ['what is no JSON', 'ours'],
    ['what is no key', '{}'],
    ['null', 'null'],
    ['a key that is not public', agreed.privateJwk],
    ['a symmetric key', JSON.stringify({ kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['a key that signs', signing.encryptionJwk],
    ['a point that is not on its curve', JSON.stringify({ ...JSON.parse(agreed.encryptionJwk), x: 'A'.repeat(43) })],
    ['an RSA key of 1,024 bits', JSON.stringify(rsa)],
    ['a key for another algorithm', JSON.stringify({ ...JSON.parse(agreed.encryptionJwk), alg: 'ECDH-ES+A256KW' })],
    ['a key for signatures', JSON.stringify({ ...JSON.parse(agreed.encryptionJwk), use: 'sig' })],
  ])('%s', async (_, encryptionJwk) => {
    expect(await failureOf(addServer(stack, world, { encryptionJwk }))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'INVALID_FIELD',
      metadata: expect.objectContaining({ field: 'resource_server.encryption_jwk' }),
    });
  });
});
