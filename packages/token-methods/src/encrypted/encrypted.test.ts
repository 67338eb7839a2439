import { randomBytes } from 'node:crypto';
import { decodeBase62, encodeBase62, type TokenRecord } from '@touchstone/core';
import { CompactEncrypt, type CompactJWEHeaderParameters } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AccessTokenPayload, payloadOf, signPayload } from '../jwt/access-token.ts';
import { decrypt, encrypt } from '../jwt/encryption.ts';
import { openKeyRing } from '../keys/key-ring.ts';
import { formatIdentity, type Identity, identify } from '../opaque/identity.ts';
import { hashOfString, sealedRecord } from '../opaque/record.ts';
import { decodePart } from '../test-jwt.ts';
import { testSigning } from '../test-keys.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { encryptedMethod } from './encrypted.ts';

const issuer = 'https://tokens.example.com';
const keys = openKeyRing(randomBytes(32));
const signing = await testSigning();
const method = encryptedMethod(keys, signing, issuer);

async function mint() {
  const { token, record } = await method.mint(draft, secrets, null);
  const identity = identify(keys, 'e', token) as Identity & { rest: string };
  return { token, record: { ...record, consentKey: null }, identity, key: keys.contentKey(identity.identifying) };
}

async function open(token: string, record: TokenRecord) {
  const located = method.locate(token);
  return located && (await method.open(located, record));
}

describe('the string', () => {
  test('tells nothing: no part of it, decoded in any way, has anything of what it says', async () => {
    const { token } = await mint();
    const [identifier, ...jwe] = token.slice('tks_e'.length, -7).split('.');
    expect(decodePart(jwe[0])).toEqual({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' });
    const bytes = [decodeBase62(identifier as string) as Buffer, ...jwe.map((part) => Buffer.from(part, 'base64url'))];
    const readable = [token, ...bytes.map((part) => part.toString('latin1'))];
    const canaries = ['ada@example.org', 'nested', 'orders:read', 'orders:write', draft.audience, issuer, 'con_1'];
    for (const canary of canaries) {
      for (const written of writings(canary)) {
        for (const text of readable) expect(text, canary).not.toContain(written);
      }
    }
  });

  test('tells its length: the same claims, the same number of characters', async () => {
    const lengths = await Promise.all(Array.from({ length: 10 }, async () => (await mint()).token.length));
    expect(new Set(lengths).size).toBe(1);
  });
});

/** A text in clear, and as it stands within longer ones of base64url and base62, wherever it begins in them. */
function writings(text: string): string[] {
  const inBase64 = [0, 1, 2].map((before) =>
    Buffer.from('\0'.repeat(before) + text)
      .toString('base64url')
      .slice(before + 1, -2),
  );
  const inBase62 = [0, 1, 2, 3, 4].map((before) =>
    encodeBase62(Buffer.from('\0'.repeat(before) + text)).slice(before > 0 ? 7 : 0, -7),
  );
  return [text, ...inBase64, ...inBase62].filter((written) => written.length > 4);
}

test("each token's content has a key of its own", async () => {
  const minted = await Promise.all(Array.from({ length: 20 }, mint));
  expect(new Set(minted.map(({ key }) => key.toString('hex'))).size).toBe(20);
  const [one, other] = minted as [Awaited<ReturnType<typeof mint>>, Awaited<ReturnType<typeof mint>>];
  expect(await decrypt(one.identity.rest, one.key)).not.toBeNull();
  expect(await decrypt(one.identity.rest, other.key)).toBeNull();
  const { lookup, tag, seal } = one.identity.secrets;
  for (const known of [lookup, tag.toString('hex'), seal.toString('hex')])
    expect(one.key.toString('hex')).not.toBe(known);
});

interface Forgery {
  /** The content key of the token whose identifier is used: nobody has it but the service. */
  readonly key: Buffer;
  /** A JWS by our own key. */
  readonly jws: string;
  readonly payload: AccessTokenPayload;
}

const allowed = { alg: 'dir', enc: 'A256GCM', cty: 'JWT' } as const;

/** Encrypted with another header than ours. */
const encrypted = (content: string | Uint8Array, key: Uint8Array, header: Partial<CompactJWEHeaderParameters>) =>
  new CompactEncrypt(Buffer.from(content))
    .setProtectedHeader({ ...allowed, ...header } as CompactJWEHeaderParameters)
    .encrypt(key, { crit: { x: true } });

/** What is no JWE of ours, whoever made it. */
const envelopes: Readonly<Record<string, (forgery: Forgery) => Promise<string>>> = {
  'another key': async ({ jws }) => encrypt(Buffer.from(jws), randomBytes(32), { cty: 'JWT' }),
  'alg A256KW': ({ jws, key }) => encrypted(jws, key, { alg: 'A256KW' }),
  'alg A256GCMKW': ({ jws, key }) => encrypted(jws, key, { alg: 'A256GCMKW' }),
  'alg PBES2-HS256+A128KW': ({ jws, key }) => encrypted(jws, key, { alg: 'PBES2-HS256+A128KW' }),
  'enc A128CBC-HS256': ({ jws, key }) => encrypted(jws, key, { enc: 'A128CBC-HS256' }),
  'zip DEF': ({ jws, key }) => encrypted(jws, key, { zip: 'DEF' }),
  'zip DEF around four million zeros': ({ key }) => encrypted(Buffer.alloc(4_000_000), key, { zip: 'DEF' }),
  crit: ({ jws, key }) => encrypted(jws, key, { crit: ['x'], x: 1 }),
};

/** What we say in no token, encrypted as we do. */
const contents: Readonly<Record<string, (forgery: Forgery) => Promise<string>>> = {
  'what we signed ourselves': async ({ jws, key }) => encrypted(jws, key, {}),
  'a content that nobody signed': ({ payload, key }) => encrypted(JSON.stringify(payload), key, {}),
  'a content with alg none': ({ payload, key }) => {
    const parts = [{ alg: 'none', typ: 'at+jwt', kid: 'key-1' }, payload].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    return encrypted(`${parts.join('.')}.`, key, {});
  },
  "a content signed by another's key": async ({ payload, key }) => {
    const other = await (await testSigning()).signer('acme', 3);
    return encrypted(await signPayload(payload, other), key, {});
  },
  'a content signed by us, as something else': async ({ payload, key }) => {
    const signer = await signing.signer('acme', 3);
    return encrypted(await signPayload(payload, signer, { typ: 'JWT' }), key, {});
  },
  'no content': ({ key }) => encrypted('', key, {}),
  'content that is no text': ({ key }) => encrypted(randomBytes(100), key, {}),
};

describe('around the identifier of a token', () => {
  let minted: Awaited<ReturnType<typeof mint>>;
  let forgery: Forgery;
  beforeAll(async () => {
    minted = await mint();
    const payload = { ...payloadOf(draft, secrets, issuer, 'tok_x'), sub: 'root' };
    forgery = { key: minted.key, payload, jws: await signPayload(payload, await signing.signer('acme', 3)) };
  });

  /** The string, which gets as far as its record. */
  async function forge(make: ((forgery: Forgery) => Promise<string>) | undefined): Promise<string> {
    const forged = formatIdentity(minted.identity, (await make?.(forgery)) as string);
    expect(forged.length).toBeLessThan(8_192);
    expect(method.locate(forged)?.key).toEqual(minted.record.key);
    return forged;
  }

  test.each(Object.keys(contents))('%s is refused by its record, which knows the string', async (name) => {
    expect(await open(await forge(contents[name]), minted.record)).toBeNull();
  });

  test('it would open, were it not for the record', async () => {
    const forged = await forge(contents['what we signed ourselves']);
    expect(await open(forged, resealed(forged, minted))).toMatchObject({ userId: 'root' });
  });

  test.each(Object.keys(envelopes))('%s is refused by its record, and by itself', async (name) => {
    const forged = await forge(envelopes[name]);
    expect(await open(forged, minted.record)).toBeNull();
    expect(await open(forged, resealed(forged, minted)), 'with a record of its own').toBeNull();
  });

  test('the content of another token is refused', async () => {
    const other = await mint();
    const forged = formatIdentity(minted.identity, other.identity.rest);
    for (const record of [minted.record, other.record, resealed(forged, minted)]) {
      expect(await open(forged, record)).toBeNull();
    }
  });
});

/** The record of the same token, for another string: what only the service could make. */
const resealed = (token: string, { record, identity }: Awaited<ReturnType<typeof mint>>): TokenRecord => ({
  ...record,
  ...sealedRecord(record, token, identity.secrets.seal, [hashOfString(token)]),
});
