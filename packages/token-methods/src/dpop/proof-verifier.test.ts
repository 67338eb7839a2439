import { createHash, createHmac, createPrivateKey, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  CompactSign,
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
} from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodePart, encodePart } from '../test-jwt.ts';
import { proofVerifier } from './proof-verifier.ts';

const token = 'tks_rKz8mXK1EalYznwH_LC1fBA';
const method = 'GET';
const uri = 'https://api.example.com/orders';
const algorithms = ['EdDSA', 'ES256', 'RS256'] as const;

interface Holder {
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly privateJwk: JWK;
}

async function holderWith(algorithm: string, crv?: string): Promise<Holder> {
  const pair = await generateKeyPair(algorithm, { extractable: true, ...(crv ? { crv } : {}) });
  const [jwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  return { algorithm, privateKey: pair.privateKey, jwk, privateJwk };
}

let holder: Holder;
let other: Holder;
beforeAll(async () => {
  [holder, other] = await Promise.all([holderWith('ES256'), holderWith('ES256')]);
});

const ath = createHash('sha256').update(token).digest('base64url');
const claims = { jti: 'once', htm: method, htu: uri, iat: 1_800_000_000, ath };

/** A proof as a client makes it, but for what is said. */
function proofOf(said: object = {}, header: object = {}, by = holder): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify({ ...claims, ...said })))
    .setProtectedHeader({ typ: 'dpop+jwt', alg: by.algorithm, jwk: by.jwk, ...header } as JWTHeaderParameters & {
      alg: string;
    })
    .sign(by.privateKey);
}

const verify = (jwt: string, over: object = {}, of = token) => proofVerifier.verify({ jwt, method, uri, ...over }, of);

/** One signed by hand, for what no library would sign. */
function raw(header: object, sign: (input: string) => Buffer | string, said: object | string = claims): string {
  const input = `${encodePart(header)}.${encodePart(said)}`;
  return `${input}.${encodePart(sign(input))}`;
}
const signedByKey = (key: KeyObject) => (input: string) =>
  createSign('sha256').update(input).sign({ key, dsaEncoding: 'ieee-p1363' });

test.each(algorithms)('a proof made with %s proves its key', async (algorithm) => {
  const by = await holderWith(algorithm);
  expect(await verify(await proofOf({}, {}, by))).toEqual({
    key: await calculateJwkThumbprint(by.jwk),
    jti: 'once',
    issuedAt: 1_800_000_000_000,
  });
});

test('the request may be told with a query, and both URIs as they like', async () => {
  const jwt = await proofOf({ htu: 'HTTPS://API.example.com:443/a/../orders#part' });
  expect(await verify(jwt, { uri: 'https://api.example.com/%6Frders?page=2' })).not.toBeNull();
});

test('a time with a fraction is one', async () => {
  expect(await verify(await proofOf({ iat: 1_800_000_000.5 }))).toMatchObject({ issuedAt: 1_800_000_000_500 });
});

describe('what RFC 9449 section 4.3 asks for, broken', () => {
  test.each([
    ['nothing', () => ''],
    ['text', () => 'rubbish'],
    ['two of them', (jwt: string) => `${jwt}, ${jwt}`],
    ['a part too few', (jwt: string) => jwt.split('.').slice(0, 2).join('.')],
    ['a part too many', (jwt: string) => `${jwt}.`],
    ['an unsecured one', (jwt: string) => `${jwt.split('.').slice(0, 2).join('.')}.`],
    ['a space before it', (jwt: string) => ` ${jwt}`],
  ])('2: not a single well-formed JWT: %s', async (_, change) => {
    expect(await verify(change(await proofOf()))).toBeNull();
  });

  test.each(['null', '[]', '"text"', '{', '\u0080'])(
    '2: a payload that is no object of claims: %s',
    async (payload) => {
      const jwt = await new CompactSign(Buffer.from(payload, 'latin1'))
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: holder.jwk })
        .sign(holder.privateKey);
      expect(await verify(jwt)).toBeNull();
    },
  );

  test.each(['jti', 'htm', 'htu', 'iat', 'ath'])('3: without %s', async (claim) => {
    expect(await verify(await proofOf({ [claim]: undefined }))).toBeNull();
    for (const wrong of [null, true, {}, [], claim === 'iat' ? '1800000000' : 7, '']) {
      expect(await verify(await proofOf({ [claim]: wrong })), JSON.stringify(wrong)).toBeNull();
    }
  });

  test.each(['JWT', 'at+jwt', 'DPoP+JWT', 'application/dpop+jwt', '', undefined])('4: its type is %s', async (typ) => {
    expect(await verify(await proofOf({}, { typ }))).toBeNull();
  });

  test('5: without a signature, or with one that whoever can verify can make', async () => {
    for (const alg of ['none', 'None', '']) {
      expect(await verify(raw({ typ: 'dpop+jwt', alg, jwk: holder.jwk }, () => ''))).toBeNull();
    }
    const secrets = [JSON.stringify(holder.jwk), holder.jwk.x ?? '', 'secret'];
    for (const k of secrets) {
      const sign = (input: string) => createHmac('sha256', k).update(input).digest();
      for (const jwk of [holder.jwk, { kty: 'oct', k: encodePart(k) }]) {
        expect(await verify(raw({ typ: 'dpop+jwt', alg: 'HS256', jwk }, sign))).toBeNull();
      }
    }
  });

  test.each(['ES384', 'ES512', 'PS256', 'RS512', 'Ed25519'])(
    '5: with %s, which is not among ours',
    async (algorithm) => {
      const by = await holderWith(algorithm);
      expect(await verify(await proofOf({}, {}, by))).toBeNull();
    },
  );

  test('5: with an algorithm of ours, of which the key is not', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const jwk = publicKey.export({ format: 'jwk' });
    expect(await verify(raw({ typ: 'dpop+jwt', alg: 'ES256', jwk }, signedByKey(privateKey)))).toBeNull();
    for (const alg of ['EdDSA', 'RS256', 'constructor', 'toString', 'es256', 7, null, ['ES256']]) {
      const key = createPrivateKey({ key: holder.privateJwk as never, format: 'jwk' });
      expect(await verify(raw({ typ: 'dpop+jwt', alg, jwk: holder.jwk }, signedByKey(key)))).toBeNull();
    }
  });

  test('5: with an RSA key that takes long to verify with, or none that is long enough', async () => {
    const verified = async (bits: number, more: object = {}) => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
      const jwk = { ...publicKey.export({ format: 'jwk' }), ...more };
      return verify(raw({ typ: 'dpop+jwt', alg: 'RS256', jwk }, signedByKey(privateKey)));
    };
    expect(await verified(2_048)).not.toBeNull();
    expect(await verified(1_024)).toBeNull();
    // The same exponent, written so long as a slow one would be.
    expect(await verified(2_048, { e: 'AAAAAAEAAQ' })).toBeNull();
  });

  test('6: signed by another key than the one in it, or changed since', async () => {
    expect(await verify(await proofOf({}, { jwk: other.jwk }))).toBeNull();
    const [header, , signature] = (await proofOf()).split('.');
    expect(await verify(`${header}.${encodePart({ ...claims, jti: 'twice' })}.${signature}`)).toBeNull();
    const named = { ...decodePart(header), kid: 'key' };
    expect(await verify(`${encodePart(named)}.${encodePart(claims)}.${signature}`)).toBeNull();
  });

  test.each(['jwk', 'jku', 'x5c', 'kid'])('6: with no key in it, but perhaps a hint in %s', async (member) => {
    const hint = member === 'jwk' ? undefined : member === 'x5c' ? ['AAAA'] : 'https://keys.example.com/1';
    expect(await verify(await proofOf({}, { jwk: undefined, [member]: hint }))).toBeNull();
  });

  test('7: with a private key in it, or a part of one', async () => {
    expect(await verify(await proofOf({}, { jwk: holder.privateJwk }))).toBeNull();
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']) {
      expect(await verify(await proofOf({}, { jwk: { ...holder.jwk, [member]: 'AAAA' } })), member).toBeNull();
    }
  });

  test.each(['POST', 'get', 'GET ', 'HEAD'])('8: for the method %j', async (htm) => {
    expect(await verify(await proofOf({ htm }))).toBeNull();
    expect(await verify(await proofOf(), { method: htm })).toBeNull();
  });

  test.each([
    'http://api.example.com/orders',
    'https://api.example.com:8443/orders',
    'https://api.example.com.evil.example/orders',
    'https://api.example.com/orders/',
    'https://api.example.com/Orders',
    'https://api.example.com/orders%2F',
    'https://api.example.com/',
    '/orders',
    'rubbish',
  ])('9: for the URI %s', async (htu) => {
    expect(await verify(await proofOf({ htu }))).toBeNull();
    expect(await verify(await proofOf(), { uri: htu })).toBeNull();
    // Not even where both say so.
    if (!htu.startsWith('http')) expect(await verify(await proofOf({ htu }), { uri: htu })).toBeNull();
  });

  test.each([0, -1, 1e11, Number.MAX_SAFE_INTEGER, 1e300])('11: made at no time that there is: %d', async (iat) => {
    expect(await verify(await proofOf({ iat }))).toBeNull();
  });

  test('12: for another token, its hash in another form, or the token itself', async () => {
    expect(await verify(await proofOf(), {}, `${token}x`)).toBeNull();
    const digest = Buffer.from(ath, 'base64url');
    for (const wrong of [digest.toString('hex'), `${ath}=`, token, createHash('sha256').digest('base64url')]) {
      expect(await verify(await proofOf({ ath: wrong }))).toBeNull();
    }
  });
});

test('a jti that is longer than any needs is refused', async () => {
  expect(await verify(await proofOf({ jti: 'x'.repeat(256) }))).not.toBeNull();
  expect(await verify(await proofOf({ jti: 'x'.repeat(257) }))).toBeNull();
});

test('a header that is critical is refused, whatever it is', async () => {
  const key = createPrivateKey({ key: holder.privateJwk as never, format: 'jwk' });
  for (const more of [{ crit: ['exp'], exp: 1 }, { crit: [] }, { crit: ['b64'], b64: true }, { crit: null }]) {
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: holder.jwk, ...more };
    expect(await verify(raw(header, signedByKey(key)))).toBeNull();
  }
});

test("the RFC's own example proves its key (RFC 9449 section 7.1)", async () => {
  const jwt = [
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo',
    'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJ',
    'qdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXN',
    'vdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yR',
    'qzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
  ].join('');
  const request = { method: 'GET', uri: 'https://resource.example.org/protectedresource' };
  const presented = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
  expect(await verify(jwt, request, presented)).toEqual({
    key: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    jti: 'e1j3V_bKic8-LAEB',
    issuedAt: 1_562_262_618_000,
  });
  expect(await verify(jwt, { ...request, method: 'POST' }, presented)).toBeNull();
  expect(await verify(jwt, request, 'another')).toBeNull();
});

test("the RFC's example for the token endpoint, which is for no token, proves nothing here (RFC 9449 section 5)", async () => {
  const jwt = [
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo',
    'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJ',
    'qdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijo',
    'xNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
  ].join('');
  expect(await verify(jwt, { method: 'POST', uri: 'https://server.example.com/token' })).toBeNull();
});
