import { crc32 } from 'node:zlib';
import { decodeBase62, encodeBase62 } from '@touchstone/core';

/** A token's row as a dump shows it. */
export interface DumpedRow {
  readonly id: string;
  readonly expiry_day: number;
  readonly token_hash: Buffer;
  readonly sealed: Buffer;
}

/** The format is no secret: anyone may make a string whose checksum is right. */
function craft(payload: Buffer, letter = 'r'): string {
  const body = `tks_${letter}${encodeBase62(payload)}_`;
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return body + encodeBase62(sum);
}

function payloadOf(day: number, random: Buffer, tag: Buffer): Buffer {
  const head = Buffer.from([day >> 8, day & 255, 1]);
  return Buffer.concat([head, random.subarray(0, 32), tag.subarray(0, 10)]);
}

const payloadIn = (token: string): Buffer => decodeBase62(token.slice(5, -7)) ?? Buffer.alloc(0);

/** What somebody with a dump, the format and a token of his own may present for another's token. */
export const madeUpStrings: readonly (readonly [name: string, make: (row: DumpedRow, own: string) => string])[] = [
  ['the hash of the string, in hexadecimal digits', ({ token_hash }) => token_hash.toString('hex')],
  ['the hash of the string, in the form of a token', ({ token_hash }) => craft(token_hash)],
  ["the row's id", ({ id }) => id],
  [
    'a string with the hash as its random part',
    ({ expiry_day, token_hash }) => craft(payloadOf(expiry_day, token_hash, token_hash)),
  ],
  [
    "a string with the row's id, twice, as its random part",
    ({ expiry_day, id }) => {
      const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
      return craft(payloadOf(expiry_day, Buffer.concat([bytes, bytes]), Buffer.alloc(10)));
    },
  ],
  [
    'a string with the beginning of the seal as random part and tag',
    ({ expiry_day, sealed }) => craft(payloadOf(expiry_day, sealed, sealed.subarray(28))),
  ],
  [
    "the holder's own string with the hash as its random part",
    ({ expiry_day, token_hash }, own) => craft(payloadOf(expiry_day, token_hash, payloadIn(own).subarray(35))),
  ],
  [
    "the holder's own string with a later day",
    ({ expiry_day }, own) =>
      craft(payloadOf(expiry_day + 1, payloadIn(own).subarray(3, 35), payloadIn(own).subarray(35))),
  ],
  [
    "the holder's own string with another key's number",
    (_, own) => {
      const payload = Buffer.from(payloadIn(own));
      payload.writeUInt8(2, 2);
      return craft(payload);
    },
  ],
  ["the holder's own string with another method's letter", (_, own) => craft(payloadIn(own), 's')],
];
