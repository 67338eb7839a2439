import { SigningKeyState, TokenMethod } from '@touchstone/contracts';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { beforeAll, expect, inject, test } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';

const stack = inject('stack');
const url = new URL('/.well-known/jwks.json', stack.http.issuer);
let world: World;
let appId: string;
beforeAll(async () => {
  world = await openWorld(stack);
  appId = await world.addApp({ methods: [TokenMethod.SIGNED] });
});

const issue = async () => (await world.issue({ appId, method: TokenMethod.SIGNED })).token;
/** As a verifier does that was started now. */
const verify = (token: string, over = {}) =>
  jwtVerify(token, createRemoteJWKSet(url), {
    issuer: stack.http.issuer,
    audience: world.audience,
    typ: 'at+jwt',
    ...over,
  });
const published = async (): Promise<string[]> => {
  const { keys } = (await (await fetch(url)).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

test('a verifier that knows nothing but the address verifies what was signed, and nothing else', async () => {
  const token = await issue();
  const { payload, protectedHeader } = await verify(token);
  expect(payload).toMatchObject({
    sub: 'ada',
    client_id: appId,
    tenant_id: world.tenantId,
    scope: 'orders:read',
    claims: { name: 'Ada', email: 'ada@example.org' },
  });
  expect(Object.keys(payload.claims as object)).toEqual(['name', 'email']);
  expect(await published()).toContain(protectedHeader.kid);
  await expect(verify(token, { audience: 'https://other.example.com' })).rejects.toThrow('aud');
  // In the middle of the signature: the bits at its end are zero in many.
  const altered = `${token.slice(0, -40)}${token.at(-40) === 'A' ? 'B' : 'A'}${token.slice(-39)}`;
  await expect(verify(altered)).rejects.toThrow('signature');
});

test('a key is published before it signs, and after; one that was revoked is not', async () => {
  const before = await issue();
  const { tenantId } = world;
  const { active, next } = await world.operator.registry.rotateSigningKey({ tenantId });
  const [kid, nextKid] = [active?.signingKeyId ?? '', next?.signingKeyId ?? ''];
  expect(await published()).toEqual(expect.arrayContaining([kid, nextKid]));
  const after = await issue();
  for (const token of [before, after]) await verify(token);
  await world.operator.revocation.revokeTokens({
    target: { target: { case: 'signingKeyId', value: kid } },
    reason: 'test',
    idempotencyKey: unique('key'),
  });
  expect(await published()).not.toContain(kid);
  await verify(before);
  await expect(verify(after)).rejects.toThrow('no applicable key found');
});

test('of a tenant that was disabled no key is published, nor one made', async () => {
  const own = await openWorld(stack);
  const { tenantId } = own;
  const { registry } = own.operator;
  const { active, next } = await registry.rotateSigningKey({ tenantId });
  const kids = [active?.signingKeyId ?? '', next?.signingKeyId ?? ''];
  expect(await published()).toEqual(expect.arrayContaining(kids));
  await registry.disableTenant({ tenantId, reason: 'over' });
  await expect.poll(async () => (await published()).filter((kid) => kids.includes(kid))).toEqual([]);
  const { signingKeys } = await registry.listSigningKeys({ tenantId });
  expect(signingKeys.map(({ signingKeyId }) => signingKeyId).sort()).toEqual(kids.sort());
  for (const { state } of signingKeys) expect(state).toBe(SigningKeyState.REVOKED);
  await expect(registry.rotateSigningKey({ tenantId })).rejects.toThrow('the tenant is disabled');
});

test('it may be kept for a while, and is not sent again where it has not changed', async () => {
  const first = await fetch(url);
  expect(first.headers.get('content-type')).toBe('application/jwk-set+json');
  expect(first.headers.get('cache-control')).toBe('public, max-age=300');
  const etag = first.headers.get('etag') ?? '';
  expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  await world.operator.registry.rotateSigningKey({ tenantId: world.tenantId });
  const changed = await fetch(url, { headers: { 'if-none-match': etag } });
  expect([changed.status, changed.headers.get('etag') === etag]).toEqual([200, false]);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
});

test('nothing of it is private', async () => {
  const { keys } = (await (await fetch(url)).json()) as { keys: object[] };
  for (const key of keys) {
    expect(Object.keys(key).filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(name))).toEqual([]);
  }
});
