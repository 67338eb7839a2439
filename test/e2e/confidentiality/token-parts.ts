import { decodeBase62 } from '@touchstone/core';
import type { KeyRing } from '@touchstone/token-methods';
import type { Canary } from '../../harness/canary.ts';

type Part = readonly [name: string, value: string | Buffer | undefined];

const idBytes = 3;
const tagBytes = 10;

/** The parts of a token's string that count: whoever has one of them has a part of the secret, whatever the rest is. */
export function partsOf(token: string, what: string, keys: KeyRing): Canary[] {
  const parts = token.startsWith('tks_') ? opaqueParts(token, keys) : jwtParts(token);
  // Shorter than this nothing is found in every encoding.
  return parts.flatMap(([name, value]) => (value && value.length >= 9 ? [{ name: `${what}, ${name}`, value }] : []));
}

function opaqueParts(token: string, keys: KeyRing): Part[] {
  const [identifier = '', ...rest] = token.slice(5, -7).split('.');
  const bytes = decodeBase62(identifier) ?? Buffer.alloc(0);
  const unique = bytes.subarray(idBytes, -tagBytes);
  const identifying = Buffer.concat([Buffer.from(token.charAt(4)), bytes.subarray(0, -tagBytes)]);
  return [
    ['its string', identifier.slice(0, 42)],
    ['the end of its string', identifier.slice(-21)],
    // Of SPLIT it is the signature of a JWT.
    ['its random part', unique.subarray(0, 32)],
    ['the end of its random part', unique.length > 32 ? unique.subarray(-32) : undefined],
    ['its tag', bytes.subarray(-tagBytes)],
    ['the key of its seal', keys.tokenKeys(identifying).seal],
    ...(rest.length > 1 ? jweParts(rest, token, keys.contentKey(identifying)) : []),
    ...(rest.length === 1 ? macaroonParts(rest[0] ?? '', keys.macaroonKey(identifying)) : []),
  ];
}

function jweParts([, , nonce = '', encrypted = '', tag = '']: readonly string[], token: string, key: Buffer): Part[] {
  return [
    ['the nonce of its JWE', Buffer.from(nonce, 'base64url')],
    ['what is encrypted in its JWE', Buffer.from(encrypted, 'base64url').subarray(0, 32)],
    ['the end of what is encrypted in its JWE', encrypted.slice(-40)],
    ['the tag of its JWE', Buffer.from(tag, 'base64url')],
    ...(token.startsWith('tks_e') ? [['the key of its JWE', key] as const] : []),
  ];
}

const macaroonParts = (rest: string, rootKey: Buffer): Part[] => [
  ['the end of its macaroon', rest.slice(-40)],
  ['the signature of its macaroon', decodeBase62(rest)?.subarray(-32)],
  ['the root key of its macaroon', rootKey],
];

function jwtParts(token: string): Part[] {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const { tag } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const bytes = Buffer.from(signature, 'base64url');
  return [
    ['what it says', payload.slice(0, 60)],
    ['the end of what it says', payload.slice(-48)],
    ['the tag in its header', Buffer.from(tag, 'base64url')],
    ['the end of its header', header.slice(-20)],
    ['its signature', signature.slice(0, 43)],
    ['the bytes of its signature', bytes.subarray(0, 32)],
    ['the end of its signature', bytes.subarray(-32)],
  ];
}
