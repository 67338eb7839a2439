import { randomBytes, webcrypto } from 'node:crypto';
import { type Secrets, type SigningAlgorithm, type TokenDraft, tokenIdOf } from '@touchstone/core';
import { openKeyRing, signedMethod } from '@touchstone/token-methods';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, openGoVerifier, openPythonVerifier, type Question } from './verifiers.ts';

const issuer = 'https://tokens.example.com';
const audience = 'https://orders.example.com';
const algorithms = ['EdDSA', 'ES256', 'RS256'] as const satisfies readonly SigningAlgorithm[];
const parameters = {
  EdDSA: { name: 'Ed25519' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2_048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  },
} as const;

const secrets: Secrets = {
  userId: 'ada',
  claims: { name: 'Ada \u{1f469}\u200d\u{1f4bb}', tags: [1, null] },
  principal: null,
};
const draft = (expiresAt: number): TokenDraft => ({
  tokenClass: 'token',
  tenantId: 'acme',
  appId: 'app',
  userHandle: 'handle',
  consentId: null,
  audience,
  scopes: ['orders:read', 'orders:write'],
  usage: 'interactive',
  policyVersion: 1,
  confirmation: null,
  lineage: [],
  sequence: 1,
  drawnOn: '',
  issuedAt: expiresAt - 3_600_000,
  expiresAt,
});

/** A tenant's key, and its entry in a JWKS. */
async function openKey(algorithm: SigningAlgorithm, keyId: string) {
  const pair = (await webcrypto.subtle.generateKey(parameters[algorithm], true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const { key_ops, ext, alg, ...jwk } = await webcrypto.subtle.exportKey('jwk', pair.publicKey);
  const signing = { signer: async () => ({ keyId, algorithm, key: pair.privateKey }) };
  return {
    method: signedMethod(openKeyRing(randomBytes(32)), signing, issuer),
    jwk: { ...jwk, kid: keyId, use: 'sig', alg: algorithm },
  };
}

/** The token with each of its bytes changed, one at a time. */
function changedInEachByte(token: string): string[] {
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'));
  return parts.flatMap((part, which) =>
    [...part.keys()].map((at) => {
      const changed = parts.map((other) => Buffer.from(other));
      (changed[which] as Buffer)[at] = (part[at] as number) ^ 1;
      return changed.map((other) => other.toString('base64url')).join('.');
    }),
  );
}

/** What is asked of each program about the tokens of one key. */
async function openCase(algorithm: SigningAlgorithm) {
  const { method, jwk } = await openKey(algorithm, `${algorithm}-1`);
  const { jwk: successor } = await openKey(algorithm, `${algorithm}-2`);
  const { jwk: impostor } = await openKey(algorithm, `${algorithm}-1`);
  const expiresAt = Date.now() + 3_600_000;
  const { token, record } = await method.mint(draft(expiresAt), secrets, null);
  const spent = await method.mint(draft(Date.now() - 2_000), secrets, null);
  const whole: Question = { jwks: { keys: [successor, jwk] }, issuer, audience, tokens: [token] };
  return {
    payload: {
      iss: issuer,
      sub: 'ada',
      aud: audience,
      client_id: 'app',
      tenant_id: 'acme',
      iat: Math.floor((expiresAt - 3_600_000) / 1_000),
      exp: Math.floor(expiresAt / 1_000),
      jti: tokenIdOf(record.key),
      scope: 'orders:read orders:write',
      claims: secrets.claims,
    },
    questions: {
      whole,
      changed: { ...whole, tokens: changedInEachByte(token) },
      'for another audience': { ...whole, audience: 'https://payments.example.com' },
      'of another issuer': { ...whole, issuer: 'https://evil.example.com' },
      'whose time is over': { ...whole, tokens: [spent.token] },
      'whose key is not in the JWKS': { ...whole, jwks: { keys: [successor] } },
      'whose key id is that of another key': { ...whole, jwks: { keys: [impostor] } },
    },
  };
}

const cases = await Promise.all(algorithms.map(async (algorithm) => ({ algorithm, ...(await openCase(algorithm)) })));

describe.each([
  ['Go, by go-jose', await openGoVerifier()],
  ['Python, by PyJWT', await openPythonVerifier()],
])('in %s', (_, verify) => {
  describe.skipIf(verify === null).each(cases)('a SIGNED token by $algorithm', ({ questions, payload }) => {
    type Name = keyof typeof questions;
    let answers: Record<Name, readonly Answer[]>;
    beforeAll(async () => {
      const answered = (await verify?.(Object.values(questions))) ?? [];
      answers = Object.fromEntries(Object.keys(questions).map((name, at) => [name, answered[at]])) as typeof answers;
    });

    test('is taken with the keys of a JWKS, and says what it should', () => {
      expect(answers.whole).toEqual([{ payload }]);
    });

    test('is refused with any of its bytes changed', () => {
      expect(answers.changed).toHaveLength(questions.changed.tokens.length);
      expect(answers.changed.filter(({ error }) => !error)).toEqual([]);
    });

    test.each<[Name, RegExp]>([
      ['for another audience', /aud/i],
      ['of another issuer', /iss/i],
      ['whose time is over', /expired/i],
      ['whose key is not in the JWKS', /no such key/],
      ['whose key id is that of another key', /error in cryptographic primitive|signature verification failed/i],
    ])('is refused where it is one %s', (name, why) => {
      expect(answers[name]).toEqual([{ error: expect.stringMatching(why) }]);
    });
  });
});
