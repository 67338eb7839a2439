import { createHmac, createPublicKey, randomBytes } from 'node:crypto';
import { type SigningAlgorithm, type TokenRecord, tokenIdOf } from '@touchstone/core';
import { type CryptoKey, compactVerify, exportJWK, exportSPKI, FlattenedSign, generateKeyPair } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { openKeyRing } from '../keys/key-ring.ts';
import type { Signer } from '../keys/signers.ts';
import { decodePart, encodePart } from '../test-jwt.ts';
import { testSigning } from '../test-keys.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { signedMethod } from './signed.ts';

const issuer = 'https://tokens.example.com';
const algorithms: readonly SigningAlgorithm[] = ['EdDSA', 'ES256', 'RS256'];

async function openSigned(algorithm: SigningAlgorithm = 'EdDSA') {
  const signing = await testSigning(algorithm);
  const method = signedMethod(openKeyRing(randomBytes(32)), signing, issuer);
  const signer = await signing.signer('acme', 3);
  const open = async (token: string, record: TokenRecord) => {
    const located = method.locate(token);
    return located && (await method.open(located, record));
  };
  return { method, signer, publicKey: signing.publicKey, open };
}

describe('the string', () => {
  test.each(algorithms)('is an access token as RFC 9068 has it, by %s', async (algorithm) => {
    const { method } = await openSigned(algorithm);
    const { token, record } = await method.mint(draft, secrets, null);
    const [header, payload, ...more] = token.split('.');
    expect(more).toHaveLength(1);
    expect(decodePart(header)).toEqual({
      alg: algorithm,
      typ: 'at+jwt',
      kid: 'key-1',
      tag: expect.stringMatching(/^[A-Za-z0-9_-]{14}$/),
    });
    expect(decodePart(payload)).toEqual({
      iss: issuer,
      sub: 'ada@example.org',
      aud: 'https://orders.example.com',
      client_id: 'app',
      tenant_id: 'acme',
      iat: 1_795_000_000,
      exp: 1_795_003_600,
      jti: tokenIdOf(record.key),
      scope: 'orders:read orders:write',
      claims: secrets.claims,
    });
  });

  test('ends no later than its record, and names whole seconds', async () => {
    const { method } = await openSigned();
    const late = { ...draft, issuedAt: draft.issuedAt + 1, expiresAt: draft.expiresAt + 999 };
    const { token } = await method.mint(late, secrets, null);
    expect(decodePart(token.split('.')[1])).toMatchObject({ iat: 1_795_000_000, exp: 1_795_003_600 });
  });

  test('says whose it is', async () => {
    const { method } = await openSigned();
    const { token } = await method.mint({ ...draft, tenantId: 'other' }, secrets, null);
    expect(decodePart(token.split('.')[1])).toMatchObject({ tenant_id: 'other', iss: issuer });
  });

  test('without a user is of its app', async () => {
    const { method, open } = await openSigned();
    const { token, record } = await method.mint({ ...draft, userHandle: null }, { ...secrets, userId: null }, null);
    expect(decodePart(token.split('.')[1])).toMatchObject({ sub: 'app', client_id: 'app' });
    expect(await open(token, record)).toMatchObject({ userId: null });
  });

  test('has no claim of its user that could be taken for one of its own', async () => {
    const { method } = await openSigned();
    const claims = { sub: 'root', exp: 9e9, aud: '*', tenant_id: 'evil', scope: 'admin', __proto__: { iss: 'evil' } };
    const payloads = await Promise.all(
      [claims, {}].map(async (claims) => {
        const { token } = await method.mint(draft, { ...secrets, claims }, null);
        return decodePart(token.split('.')[1]);
      }),
    );
    const [one, other] = payloads.map((payload) => ({ ...payload, claims: null, jti: null }));
    expect(one).toEqual(other);
  });
});

/** What one who holds a token knows. */
interface Known {
  readonly token: string;
  readonly header: Record<string, unknown>;
  readonly payload: Record<string, unknown>;
  /** As the token has them. */
  readonly parts: readonly [header: string, payload: string, signature: string];
  readonly publicKey: CryptoKey;
}

/** Signed by a key of the attacker's own, which the header may tell. */
async function signedByAttacker({ payload, header }: Known, more: (publicKey: CryptoKey) => Promise<object>) {
  const algorithm = header.alg as SigningAlgorithm;
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  const jws = await new FlattenedSign(Buffer.from(JSON.stringify({ ...payload, sub: 'root' })))
    .setProtectedHeader({ ...header, alg: algorithm, ...(await more(publicKey)) })
    .sign(privateKey);
  return `${jws.protected}.${jws.payload}.${jws.signature}`;
}

function signedByHmac({ header, parts }: Known, secret: string | Uint8Array) {
  const input = `${encodePart({ ...header, alg: 'HS256' })}.${parts[1]}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const withHeader = ({ header, parts }: Known, more: object) =>
  `${encodePart({ ...header, ...more })}.${parts[1]}.${parts[2]}`;

/** A text of base64url that is another one for the same bytes: bits at its end that mean nothing are set. */
function otherBits(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const spare = [0, 0, 15, 3][part.length % 4] as number;
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) | spare];
}

type Attack = (known: Known) => string | Promise<string>;

/** Each keeps the tag and the token id, so that it leads to the record. */
const attacks: Readonly<Record<string, Attack>> = {
  'alg none, without a signature': ({ header, parts }) => `${encodePart({ ...header, alg: 'none' })}.${parts[1]}.`,
  'alg none, with its signature': (known) => withHeader(known, { alg: 'none' }),
  'alg None': ({ header, parts }) => `${encodePart({ ...header, alg: 'None' })}.${parts[1]}.`,
  'no signature': ({ parts }) => `${parts[0]}.${parts[1]}.`,
  'no third part': ({ parts }) => `${parts[0]}.${parts[1]}`,
  'a fourth part': ({ token }) => `${token}.`,
  'a sixth part': ({ token }) => `${token}...`,
  'a header that names it, as one has that is encrypted': ({ header, payload }) =>
    `${encodePart({ ...header, jti: payload.jti })}.a.b.c.d`,
  'HS256 by the public key as PEM': async (known) => signedByHmac(known, await exportSPKI(known.publicKey)),
  'HS256 by the public key as PEM, cut': async (known) =>
    signedByHmac(known, (await exportSPKI(known.publicKey)).trim()),
  'HS256 by the public key as SPKI': async (known) => {
    const key = createPublicKey(await exportSPKI(known.publicKey));
    return signedByHmac(known, key.export({ type: 'spki', format: 'der' }));
  },
  'HS256 by the public key as JWK': async (known) =>
    signedByHmac(known, JSON.stringify(await exportJWK(known.publicKey))),
  'HS256 by the bytes of the JWK': async (known) => {
    const { x, n } = await exportJWK(known.publicKey);
    return signedByHmac(known, Buffer.from((x ?? n) as string, 'base64url'));
  },
  'HS256 by nothing': (known) => signedByHmac(known, ''),
  'another alg': (known) => withHeader(known, { alg: known.header.alg === 'RS256' ? 'PS256' : 'RS256' }),
  'an unknown kid': (known) => withHeader(known, { kid: 'key-2' }),
  'a kid that is a path': (known) => withHeader(known, { kid: '../../dev/null' }),
  'no kid': (known) => withHeader(known, { kid: undefined }),
  'another typ': (known) => withHeader(known, { typ: 'JWT' }),
  'no typ': (known) => withHeader(known, { typ: undefined }),
  'typ as a whole media type': (known) => withHeader(known, { typ: 'application/at+jwt' }),
  'crit of what is not known': (known) => withHeader(known, { crit: ['tag'] }),
  'an empty crit': (known) => withHeader(known, { crit: [] }),
  'b64 false': (known) => withHeader(known, { b64: false }),
  'b64 false, and crit': (known) => withHeader(known, { b64: false, crit: ['b64'] }),
  'zip DEF': (known) => withHeader(known, { zip: 'DEF' }),
  "the attacker's signature": (known) => signedByAttacker(known, async () => ({})),
  "the attacker's jwk": (known) => signedByAttacker(known, async (key) => ({ jwk: await exportJWK(key) })),
  "the attacker's jwk, without kid": (known) =>
    signedByAttacker(known, async (key) => ({ jwk: await exportJWK(key), kid: undefined })),
  "the attacker's jku": (known) => signedByAttacker(known, async () => ({ jku: 'https://evil.example.com/jwks.json' })),
  "the attacker's x5u": (known) => signedByAttacker(known, async () => ({ x5u: 'https://evil.example.com/x.pem' })),
  "the attacker's x5c": (known) =>
    signedByAttacker(known, async (key) => ({ x5c: [(await exportSPKI(key)).replace(/-.*-|\s/g, '')] })),
  'alg twice': ({ header, parts }) =>
    `${encodePart(`{"alg":"none",${JSON.stringify(header).slice(1)}`)}.${parts[1]}.${parts[2]}`,
  'alg twice, the other way around': ({ header, parts }) =>
    `${encodePart(`${JSON.stringify(header).slice(0, -1)},"alg":"none"}`)}.${parts[1]}.`,
  'sub twice': ({ payload, parts }) =>
    `${parts[0]}.${encodePart(`{"sub":"root",${JSON.stringify(payload).slice(1)}`)}.${parts[2]}`,
  'scope twice': ({ payload, parts }) =>
    `${parts[0]}.${encodePart(`${JSON.stringify(payload).slice(0, -1)},"scope":"orders:admin"}`)}.${parts[2]}`,
  'another user': ({ payload, parts }) => `${parts[0]}.${encodePart({ ...payload, sub: 'root' })}.${parts[2]}`,
  'space in the header': ({ header, parts }) =>
    `${encodePart(JSON.stringify(header, null, 1))}.${parts[1]}.${parts[2]}`,
  'a line feed at its end': ({ token }) => `${token}\n`,
  'space at its end': ({ token }) => `${token} `,
  'space before the signature': ({ parts }) => `${parts[0]}.${parts[1]}. ${parts[2]}`,
  'an empty signature of zeros': ({ parts }) => `${parts[0]}.${parts[1]}.${encodePart(Buffer.alloc(64))}`,
  'the signature twice': ({ parts, token }) => `${token}${parts[2]}`,
  'padding in the header': ({ parts: [header, payload, signature] }) => `${header}==.${payload}.${signature}`,
  'padding in the payload': ({ parts: [header, payload, signature] }) => `${header}.${payload}=.${signature}`,
  'padding in the signature': ({ token }) => `${token}==`,
  'other bits at the end of the signature': ({ parts: [header, payload, signature] }) =>
    `${header}.${payload}.${otherBits(signature)}`,
  'base64 in the place of base64url': ({ parts: [header, payload, signature] }) =>
    `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
};

describe.each(algorithms)('of a token by %s', (algorithm) => {
  let opened: Awaited<ReturnType<typeof openSigned>>;
  let known: Known;
  let record: TokenRecord;
  beforeAll(async () => {
    opened = await openSigned(algorithm);
    const minted = await opened.method.mint(draft, secrets, null);
    const parts = minted.token.split('.') as [string, string, string];
    const [header, payload] = [decodePart(parts[0]), decodePart(parts[1])];
    known = { token: minted.token, header, payload, parts, publicKey: opened.publicKey };
    record = { ...minted.record, consentKey: null };
  });

  test.each(Object.keys(attacks))('a copy is refused with %s', async (attack) => {
    const forged = (await attacks[attack]?.(known)) as string;
    expect(forged).not.toBe(known.token);
    expect(opened.method.locate(forged)?.key, 'it gets as far as its record').toEqual(record.key);
    expect(await opened.open(forged, record)).toBeNull();
    // Whatever is remembered of the true one.
    expect(await opened.open(known.token, record)).not.toBeNull();
    expect(await opened.open(forged, record)).toBeNull();
  });

  test('a copy is refused with other bits at the end of its header and payload, where there are any', async () => {
    const [header, payload, signature] = known.parts;
    const others = [`${otherBits(header)}.${payload}.${signature}`, `${header}.${otherBits(payload)}.${signature}`];
    for (const other of others) {
      if (other !== known.token) expect(await opened.open(other, record)).toBeNull();
    }
  });

  test('neither its record nor its tag alone keeps what we signed ourselves from being refused', async () => {
    const { signer } = opened;
    const payload = { ...known.payload, scope: 'orders:admin', sub: 'root' };
    const headers = [known.header, { ...known.header, typ: 'JWT' }, { ...known.header, kid: 'key-2' }];
    for (const header of headers) expect(await opened.open(await signedBy(signer, header, payload), record)).toBeNull();
  });

  test('a copy without a tag, or with another, or for another id, leads to no record', async () => {
    const { token } = await opened.method.mint(draft, secrets, null);
    const { tag } = decodePart(token.split('.')[0]);
    const tags = [undefined, null, '', 0, [], [known.header.tag], { length: 10 }, tag, `${known.header.tag}AA`];
    for (const tag of tags) expect(opened.method.locate(withHeader(known, { tag }))).toBeNull();
    const ids = [undefined, null, 1, '', 'tok_', decodePart(token.split('.')[1]).jti, [known.payload.jti]];
    for (const jti of ids) {
      const forged = `${known.parts[0]}.${encodePart({ ...known.payload, jti })}.${known.parts[2]}`;
      expect(opened.method.locate(forged)).toBeNull();
    }
  });

  test('what is no JSON, or none of ours, leads to no record and throws nothing', () => {
    const [header, , signature] = known.parts;
    const deep = '['.repeat(6_000);
    const payloads = ['', deep, `${deep}${']'.repeat(6_000)}`, '{"a":'.repeat(1_200), '"', 'null', '1', '"jti"', '[]'];
    for (const payload of payloads) {
      expect(opened.method.locate(`${header}.${encodePart(payload)}.${signature}`)).toBeNull();
      expect(opened.method.locate(`${encodePart(payload)}.${known.parts[1]}.${signature}`)).toBeNull();
    }
    const raw = ['['.repeat(8_192), '.'.repeat(8_192), `${header}.${'['.repeat(8_192)}.`, header, '', '..', 'eyJ'];
    for (const text of raw) expect(opened.method.locate(text)).toBeNull();
  });
});

/** What one could sign who had our key. */
async function signedBy({ key, algorithm }: Signer, header: object, payload: object): Promise<string> {
  const jws = await new FlattenedSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: algorithm, ...header })
    .sign(key);
  return `${jws.protected}.${jws.payload}.${jws.signature}`;
}

test('EdDSA: the same content, signed under the other name that there is for the algorithm, is refused', async () => {
  const { method, signer, open, publicKey } = await openSigned('EdDSA');
  const { token, record } = await method.mint(draft, secrets, null);
  const [header, payload] = token.split('.', 2).map((part) => decodePart(part)) as [object, object];
  const other = await signedBy(signer, { ...header, alg: 'Ed25519' }, payload);
  expect(await compactVerify(other, publicKey)).toBeDefined();
  expect(method.locate(other)?.key).toEqual(record.key);
  expect(await open(other, { ...record, consentKey: null })).toBeNull();
});

test('ES256: the other signature that ECDSA has for the same content is refused', async () => {
  const { method, open, publicKey } = await openSigned('ES256');
  const { token, record } = await method.mint(draft, secrets, null);
  const at = token.lastIndexOf('.') + 1;
  const bytes = Buffer.from(token.slice(at), 'base64url');
  // FIPS 186-4, D.1.2.3.
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = order - BigInt(`0x${bytes.toString('hex', 32)}`);
  bytes.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex'), 32);
  const other = token.slice(0, at) + bytes.toString('base64url');
  // To whoever looks at nothing but the signature it is as good.
  expect(await compactVerify(other, publicKey)).toBeDefined();
  expect(method.locate(other)?.key).toEqual(record.key);
  expect(await open(other, { ...record, consentKey: null })).toBeNull();
});
