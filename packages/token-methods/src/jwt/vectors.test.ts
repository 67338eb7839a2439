import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CompactSign, calculateJwkThumbprint, compactDecrypt, compactVerify, importJWK, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { encodePart } from '../test-jwt.ts';
import { decrypt, encrypt } from './encryption.ts';

/** A line of an RFC is short. */
const joined = (...lines: string[]): string => lines.join('');

interface Vector {
  readonly source: string;
  readonly algorithm: 'EdDSA' | 'ES256' | 'RS256';
  readonly key: JWK;
  readonly jws: string;
  readonly payload: string;
}

const signatures: readonly Vector[] = [
  {
    source: 'RFC 8037, A.4 and A.5',
    algorithm: 'EdDSA',
    key: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
    jws: joined(
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.',
      'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    ),
    payload: 'Example of Ed25519 signing',
  },
  {
    source: 'RFC 7515, A.3',
    algorithm: 'ES256',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    },
    jws: joined(
      'eyJhbGciOiJFUzI1NiJ9.',
      'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.',
      'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
    ),
    payload: '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
  },
  {
    source: 'RFC 7520, 4.1',
    algorithm: 'RS256',
    key: {
      kty: 'RSA',
      n: joined(
        'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2w',
        'qVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT',
        'wJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5',
        'iaiQkqgc5gHdrNP5zw',
      ),
      e: 'AQAB',
    },
    jws: joined(
      'eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXN',
      'zLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXI',
      'gZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa',
      '80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfW',
      'Ra-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLG',
      'djluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg',
    ),
    payload: joined(
      "It’s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't keep your ",
      'feet, there’s no knowing where you might be swept off to.',
    ),
  },
];

describe.each(signatures)('$source: $algorithm', ({ algorithm, key, jws, payload }) => {
  test('the signature is taken, and says what it should', async () => {
    const verified = await compactVerify(jws, await importJWK(key, algorithm), { algorithms: [algorithm] });
    expect(Buffer.from(verified.payload).toString()).toBe(payload);
  });

  test('it is not taken with a bit changed, nor for another algorithm', async () => {
    const imported = await importJWK(key, algorithm);
    const parts = jws.split('.').map((part) => Buffer.from(part, 'base64url'));
    const text = () => parts.map((part) => part.toString('base64url')).join('.');
    expect(text()).toBe(jws);
    for (const part of parts) {
      for (let at = 0; at < part.length; at++) {
        part[at] = (part[at] as number) ^ 1;
        await expect(compactVerify(text(), imported, { algorithms: [algorithm] })).rejects.toThrow();
        part[at] = (part[at] as number) ^ 1;
      }
    }
    const others = signatures.map((vector) => vector.algorithm).filter((other) => other !== algorithm);
    await expect(compactVerify(jws, imported, { algorithms: others })).rejects.toThrow();
  });
});

test('RFC 8037, A.4: who signs the same with the same key gets the same signature', async () => {
  const [{ key, jws, payload }] = signatures as [Vector];
  const privateKey = await importJWK({ ...key, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }, 'EdDSA');
  expect(await new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey)).toBe(jws);
});

/** RFC 7520, 5.6. */
const direct = {
  key: 'XctOhJAkA-pD9Lh7ZgW_2A',
  jwe: joined(
    'eyJhbGciOiJkaXIiLCJraWQiOiI3N2M3ZTJiOC02ZTEzLTQ1Y2YtODY3Mi02MTdiNWI0NTI0M2EiLCJlbmMiOiJBMTI4R0NNIn0..refa467',
    'QzzKx6QAB.JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23XJoBcW29rHP8yZOZG7YhLpT1bjFuvZPjQS-m0IFtVcXkZXdH_lr_Frd',
    'Yt9HRUYkshtrMmIUAyGmUnd9zMDB2n0cRDIHAzFVeJUDxkUwVAE7_YGRPdcqMyiBoCO-FBdE-Nceb4h3-FtBP-c_BIwCPTjb9o0SbdcdREEM',
    'JMyZBH8ySWMVi1gPD9yxi-aQpGbSv_F9N4IZAxscj5g-NJsUPbjk29-s7LJAGb15wEBtXphVCgyy53CoIKLHHeJHXex45Uz9aKZSRSInZI-w',
    'jsY0yu3cT4_aQ3i1o-tiE-F8Ios61EKgyIQ4CWao8PFMj8TTnp.vbb32Xvllea2OtmHAdccRQ',
  ),
};

test('RFC 7520, 5.6: content encrypted directly is taken, and by us only with a key of 256 bits', async () => {
  const key = Buffer.from(direct.key, 'base64url');
  const { plaintext } = await compactDecrypt(direct.jwe, key, {
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A128GCM'],
    maxDecompressedLength: 0,
  });
  expect(Buffer.from(plaintext).toString()).toMatch(/^You can trust us to stick with you through thick and thin–to/);
  expect(await decrypt(direct.jwe, key)).toBeNull();
});

/** No RFC has an example of `dir` with A256GCM: its steps, by another implementation of AES. */
describe('RFC 7516, 5.1 and 5.2, without a library for JWE', () => {
  const header = encodePart({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' });
  const content = 'eyJhbGciOiJFZERTQSJ9.e30.';

  test('what was encrypted so is decrypted', async () => {
    const [key, iv] = [randomBytes(32), randomBytes(12)];
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(header));
    const ciphertext = Buffer.concat([cipher.update(content), cipher.final()]);
    const jwe = [header, '', ...[iv, ciphertext, cipher.getAuthTag()].map(encodePart)].join('.');
    expect(String(await decrypt(jwe, key))).toBe(content);
    const short = [header, '', ...[iv, ciphertext, cipher.getAuthTag().subarray(0, 12)].map(encodePart)].join('.');
    expect(await decrypt(short, key), 'with a tag cut short').toBeNull();
  });

  test('what we encrypt is decrypted so, with an initialisation vector of its own each time', async () => {
    const key = randomBytes(32);
    const made = await Promise.all(
      Array.from({ length: 20 }, () => encrypt(Buffer.from(content), key, { cty: 'JWT' })),
    );
    expect(new Set(made.map((jwe) => jwe.split('.')[2])).size).toBe(20);
    for (const jwe of made) {
      const [protectedHeader, encryptedKey, ...rest] = jwe.split('.');
      expect([protectedHeader, encryptedKey]).toEqual([header, '']);
      const [iv, ciphertext, tag] = rest.map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer];
      const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(header)).setAuthTag(tag);
      expect(decipher.update(ciphertext, undefined, 'utf8') + decipher.final('utf8')).toBe(content);
    }
  });
});

test.each<[string, JWK, string]>([
  [
    'RFC 7638, 3.1',
    {
      kty: 'RSA',
      n: joined(
        '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4',
        'n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0',
        'zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c',
        'sFCur-kEgU8awapJzKnqDKgw',
      ),
      e: 'AQAB',
      alg: 'RS256',
      kid: '2011-04-29',
    },
    'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
  ],
  ['RFC 8037, A.3', signatures[0]?.key as JWK, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'],
])('%s: the thumbprint of a key', async (_, key, thumbprint) => {
  expect(await calculateJwkThumbprint(key)).toBe(thumbprint);
});
