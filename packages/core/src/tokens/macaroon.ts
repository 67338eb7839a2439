import { isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { decodeBase62, encodeBase62 } from './base62.ts';
import { formatOpaque, parseOpaque } from './opaque-string.ts';

/** The method's letter in the string. */
export const macaroonLetter = 'a';
const signatureBytes = 32;
const lengthBytes = 2;
/** More are not taken. */
export const caveatsMax = 32;

/**
 * A macaroon (Birgisson et al., NDSS 2014): an identifier, caveats, and a signature that chains them. Whoever holds it can
 * add a caveat, for its signature is the key of the next; nobody can take one away.
 */
export interface Macaroon {
  readonly identifying: Buffer;
  readonly tag: Buffer;
  readonly caveats: readonly string[];
  readonly signature: Buffer;
}

const chained = (key: Uint8Array, message: Uint8Array | string): Buffer =>
  createHmac('sha256', key).update(message).digest();

/** The signature of a macaroon with these caveats. @param rootKey nobody has it but who made the identifier. */
export const macaroonSignature = (rootKey: Uint8Array, identifying: Uint8Array, caveats: readonly string[]): Buffer =>
  caveats.reduce(chained, chained(rootKey, identifying));

/** The token that its holder has. */
export function formatMacaroon({ identifying, tag, caveats, signature }: Macaroon): string {
  const chunks = caveats.flatMap((caveat) => {
    const bytes = Buffer.from(caveat);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt16BE(bytes.length);
    return [length, bytes];
  });
  return formatOpaque(identifying, tag, encodeBase62(Buffer.concat([...chunks, signature])));
}

/** Null unless the string has the form that `formatMacaroon` gives. Whoever parses it has yet to compare the signature. */
export function parseMacaroon(token: string): Macaroon | null {
  const parts = parseOpaque(macaroonLetter, token);
  const bytes = parts && decodeBase62(parts.rest);
  if (!bytes || bytes.length < signatureBytes) return null;
  const end = bytes.length - signatureBytes;
  const caveats: string[] = [];
  let at = 0;
  while (at < end) {
    if (at + lengthBytes > end || caveats.length === caveatsMax) return null;
    const from = at + lengthBytes;
    at = from + bytes.readUInt16BE(at);
    // Else two strings would give the same text, and `formatMacaroon` only one of them.
    if (at > end || !isUtf8(bytes.subarray(from, at))) return null;
    caveats.push(bytes.toString('utf8', from, at));
  }
  const { identifying, tag } = parts;
  return { identifying, tag, caveats, signature: bytes.subarray(end) };
}

/** The macaroon with one more caveat. */
export const withCaveat = (macaroon: Macaroon, caveat: string): Macaroon => ({
  ...macaroon,
  caveats: [...macaroon.caveats, caveat],
  signature: chained(macaroon.signature, caveat),
});
