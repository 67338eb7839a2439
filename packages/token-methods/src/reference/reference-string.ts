import { timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeBase62, encodeBase62 } from '@touchstone/core';

/**
 * The string of an opaque token: `tks_`, the method's letter, a payload, `_`, a checksum. The fixed prefix and the
 * checksum (CRC32 of all before it) let secret scanners find leaked tokens without asking us.
 *
 * The payload: partition (2 bytes), id of the tag key (1), random part (32), tag (10).
 */
export interface ReferenceParts {
  readonly partition: number;
  readonly tagKeyId: number;
  /** 32 bytes. */
  readonly random: Buffer;
}

const randomBytesCount = 32;
const tagBytes = 10;
const identifyingBytes = 3 + randomBytesCount;
const payloadCharacters = ((identifyingBytes + tagBytes) / 5) * 7;
const checksumCharacters = 6;
const stringCharacters = 5 + payloadCharacters + 1 + checksumCharacters;

/** Computes the tag over the method's letter and the identifying part. */
export type Tag = (message: Uint8Array) => Buffer;

export function formatReference(letter: string, { partition, tagKeyId, random }: ReferenceParts, tag: Tag): string {
  const identifying = Buffer.allocUnsafe(identifyingBytes);
  identifying.writeUInt16BE(partition, 0);
  identifying.writeUInt8(tagKeyId, 2);
  random.copy(identifying, 3);
  const body = `tks_${letter}${encodeBase62(Buffer.concat([identifying, tagOf(letter, identifying, tag)]))}_`;
  return body + checksum(body);
}

/** Null unless the string was formatted under the same tag. */
export function parseReference(letter: string, token: string, tag: Tag): ReferenceParts | null {
  if (token.length !== stringCharacters || !token.startsWith(`tks_${letter}`)) return null;
  const end = stringCharacters - checksumCharacters;
  if (token[end - 1] !== '_' || token.slice(end) !== checksum(token.slice(0, end))) return null;
  const payload = decodeBase62(token.slice(5, end - 1));
  if (!payload) return null;
  const identifying = payload.subarray(0, identifyingBytes);
  if (!timingSafeEqual(tagOf(letter, identifying, tag), payload.subarray(identifyingBytes))) return null;
  return {
    partition: payload.readUInt16BE(0),
    tagKeyId: payload.readUInt8(2),
    random: payload.subarray(3, identifyingBytes),
  };
}

function tagOf(letter: string, identifying: Uint8Array, tag: Tag): Buffer {
  return tag(Buffer.concat([Buffer.from(letter), identifying])).subarray(0, tagBytes);
}

function checksum(text: string): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(crc32(text));
  return encodeBase62(bytes);
}
