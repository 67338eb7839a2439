import { crc32 } from 'node:zlib';
import { decodeBase62, encodeBase62 } from '@touchstone/core';

/**
 * The string of an opaque token: `tks_`, the method's letter, a payload, `_`, a checksum. The fixed prefix and the
 * checksum (CRC32 of all before it) let secret scanners find leaked tokens without asking us.
 *
 * The payload: what identifies the token - partition (2 bytes), id of the token keys (1), random part (32) - and its tag (10).
 */
export interface ReferenceParts {
  readonly partition: number;
  readonly keyId: number;
  /** The method's letter and the bytes before the tag: what the token's keys are derived from. */
  readonly identifying: Buffer;
  /** 10 bytes. Whoever parses a string has yet to compare it. */
  readonly tag: Buffer;
}

const randomBytesCount = 32;
const tagBytes = 10;
const identifyingBytes = 4 + randomBytesCount;
const payloadCharacters = ((identifyingBytes - 1 + tagBytes) / 5) * 7;
const checksumCharacters = 6;
const stringCharacters = 5 + payloadCharacters + 1 + checksumCharacters;

/** What the keys of a new token are derived from. */
export function identifyingOf(letter: string, partition: number, keyId: number, random: Uint8Array): Buffer {
  const identifying = Buffer.allocUnsafe(identifyingBytes);
  identifying.writeUInt8(letter.charCodeAt(0), 0);
  identifying.writeUInt16BE(partition, 1);
  identifying.writeUInt8(keyId, 3);
  identifying.set(random, 4);
  return identifying;
}

export function formatReference(identifying: Uint8Array, tag: Uint8Array): string {
  const letter = String.fromCharCode(identifying[0] as number);
  const body = `tks_${letter}${encodeBase62(Buffer.concat([identifying.subarray(1), tag]))}_`;
  return body + checksum(body);
}

/** Null unless the string has the form that `formatReference` gives. */
export function parseReference(letter: string, token: string): ReferenceParts | null {
  if (token.length !== stringCharacters || !token.startsWith(`tks_${letter}`)) return null;
  const end = stringCharacters - checksumCharacters;
  if (token[end - 1] !== '_' || token.slice(end) !== checksum(token.slice(0, end))) return null;
  const bytes = decodeBase62(token.slice(5, end - 1), 1);
  if (!bytes) return null;
  bytes.writeUInt8(letter.charCodeAt(0), 0);
  return {
    partition: bytes.readUInt16BE(1),
    keyId: bytes.readUInt8(3),
    identifying: bytes.subarray(0, identifyingBytes),
    tag: bytes.subarray(identifyingBytes),
  };
}

function checksum(text: string): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(crc32(text));
  return encodeBase62(bytes);
}
