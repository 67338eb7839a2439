import { crc32 } from 'node:zlib';
import { decodeBase62, encodeBase62 } from './base62.ts';

/**
 * The string of an opaque token: `tks_`, the method's letter, what identifies it, what else the method puts into it (after
 * a full stop, where there is something), `_`, a checksum. The fixed prefix and the checksum (CRC32 of all before it) let
 * secret scanners find leaked tokens without asking us.
 *
 * What identifies it, in base62: partition (2 bytes), id of the token keys (1), the part that makes it unique and that
 * nobody can guess, and the tag (10).
 */
export interface OpaqueParts {
  readonly partition: number;
  readonly keyId: number;
  /** The method's letter and the bytes before the tag: what the token's keys are derived from. */
  readonly identifying: Buffer;
  /** 10 bytes. Whoever parses a string has yet to compare it. */
  readonly tag: Buffer;
  /** What else the method put into the string; empty: nothing. */
  readonly rest: string;
}

const tagBytes = 10;
const headBytes = 4;
const letterAt = 4;
const checksumCharacters = 6;

/** What the keys of a new token are derived from. */
export function identifyingOf(letter: string, partition: number, keyId: number, unique: Uint8Array): Buffer {
  const identifying = Buffer.allocUnsafe(headBytes + unique.length);
  identifying.writeUInt8(letter.charCodeAt(0), 0);
  identifying.writeUInt16BE(partition, 1);
  identifying.writeUInt8(keyId, 3);
  identifying.set(unique, headBytes);
  return identifying;
}

export function formatOpaque(identifying: Uint8Array, tag: Uint8Array, rest = ''): string {
  const letter = String.fromCharCode(identifying[0] as number);
  const identifier = encodeBase62(Buffer.concat([identifying.subarray(1), tag]));
  const body = `tks_${letter}${identifier}${rest && `.${rest}`}_`;
  return body + checksum(body);
}

/** Null unless the string has the form that `formatOpaque` gives. */
export function parseOpaque(letter: string, token: string): OpaqueParts | null {
  const end = token.length - checksumCharacters;
  if (token[letterAt] !== letter || token[end - 1] !== '_' || token.slice(end) !== checksum(token.slice(0, end))) {
    return null;
  }
  const stop = token.indexOf('.');
  const identifierEnd = stop < 0 ? end - 1 : stop;
  // Written over by the letter, which is no digit of the identifier.
  const bytes = decodeBase62(token.slice(letterAt + 1, identifierEnd), 1);
  if (!bytes || bytes.length <= headBytes + tagBytes || stop === end - 2) return null;
  bytes.writeUInt8(letter.charCodeAt(0), 0);
  return {
    partition: bytes.readUInt16BE(1),
    keyId: bytes.readUInt8(3),
    identifying: bytes.subarray(0, bytes.length - tagBytes),
    tag: bytes.subarray(bytes.length - tagBytes),
    rest: stop < 0 ? '' : token.slice(stop + 1, end - 1),
  };
}

function checksum(text: string): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(crc32(text));
  return encodeBase62(bytes);
}
