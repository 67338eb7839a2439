import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { base62Chunks, base62Number } from './canary-base62.ts';

/** A way to hide a canary between other bytes, and the encoding under which it is to be found again. */
export interface Packer {
  readonly encoding: string | ((ahead: number) => string);
  readonly pack: (before: Buffer, canary: string, after: Buffer) => Buffer;
}

/** Every encoding that the needles cover, as one would meet it. */
export const encodingPackers: Readonly<Record<string, Packer>> = {
  raw: around('raw', (canary) => canary),
  utf16le: around('utf16le', (canary) => Buffer.from(canary, 'utf16le')),
  utf16be: around('utf16be', (canary) => Buffer.from(canary, 'utf16le').swap16()),
  hex: whole('hex', (bytes) => bytes.toString('hex')),
  hexUpper: whole('hex-upper', (bytes) => bytes.toString('hex').toUpperCase()),
  base64: whole(
    (ahead) => `base64@${ahead % 3}`,
    (bytes) => bytes.toString('base64'),
  ),
  base64url: whole(
    (ahead) => `base64@${ahead % 3}`,
    (bytes) => bytes.toString('base64url'),
  ),
  base62: around('base62', (canary) => base62Number(Buffer.from(canary))),
  base62Chunks: whole((ahead) => `base62-chunks@${ahead % 5}`, base62Chunks),
  reversed: whole('reversed', (bytes) => Buffer.from(bytes).reverse()),
  percent: whole('percent', (bytes) => bytes.toString('hex').toUpperCase().replaceAll(/../g, '%$&')),
  uri: around('uri', encodeURIComponent),
  jsonEscaped: around('json-escaped', (canary) => canary.replace('@', '\\u0040')),
  jsonBuffer: whole('decimal', (bytes) => JSON.stringify(bytes)),
  hexSpaced: whole('hex-spaced', (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')),
  upperCase: around('upper-case', (canary) => canary.toUpperCase()),
  base64Lines: whole(
    (ahead) => `base64@${ahead % 3} wrapped`,
    (bytes) => inLines(bytes.toString('base64'), 12),
  ),
};

/** Every compression with a magic of its own. */
export const compressionPackers: Readonly<Record<string, Packer>> = {
  gzip: whole('gzip > raw', gzipSync),
  zlib: whole('zlib > raw', (bytes) => deflateSync(bytes)),
  zlibFast: whole('zlib > raw', (bytes) => deflateSync(bytes, { level: 1 })),
  zlibSmallWindow: whole('zlib > raw', (bytes) => deflateSync(bytes, { windowBits: 10, level: 9 })),
  deflate: whole('deflate > raw', (bytes) => deflateRawSync(bytes)),
  zstd: whole('zstd > raw', (bytes) => zstdCompressSync(bytes)),
  lz4: whole('lz4 > raw', lz4Frame),
  snappyXerial: whole('snappy-xerial > raw', (bytes) => xerial(snappyBlock(bytes))),
  kafkaSnappy: whole('kafka-snappy > raw', (bytes) => kafkaBatch(2, snappyBlock(bytes))),
};

/** A Kafka record batch (magic v2) around records that are compressed already. */
export function kafkaBatch(codec: number, records: Buffer): Buffer {
  const header = Buffer.alloc(61);
  header.writeInt32BE(49 + records.length, 8);
  header.writeInt8(2, 16);
  header.writeInt16BE(codec, 21);
  header.writeInt32BE(2, 23);
  header.writeInt32BE(3, 57);
  return Buffer.concat([header, records]);
}

/** A snappy block of nothing but literals. */
export function snappyBlock(bytes: Buffer): Buffer {
  const parts = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 256) {
    const literal = bytes.subarray(at, at + 256);
    parts.push(Buffer.from([60 << 2, literal.length - 1]), literal);
  }
  return Buffer.concat(parts);
}

function around(encoding: string, encode: (canary: string) => string | Buffer): Packer {
  return {
    encoding,
    pack: (before, canary, after) => Buffer.concat([before, Buffer.from(encode(canary) as string), after]),
  };
}

function whole(encoding: Packer['encoding'], encode: (bytes: Buffer) => string | Buffer): Packer {
  const pack: Packer['pack'] = (before, canary, after) =>
    Buffer.from(encode(Buffer.concat([before, Buffer.from(canary), after])) as string);
  return { encoding, pack };
}

function lz4Frame(bytes: Buffer): Buffer {
  const block = lz4Block(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(block.length);
  return Buffer.concat([Buffer.from('04224d18604082', 'hex'), length, block, Buffer.alloc(4)]);
}

/** One run of literals, which ends a block. */
function lz4Block(bytes: Buffer): Buffer {
  if (bytes.length < 15) return Buffer.concat([Buffer.from([bytes.length << 4]), bytes]);
  const more = bytes.length - 15;
  return Buffer.concat([
    Buffer.from([0xf0]),
    Buffer.alloc(Math.floor(more / 255), 255),
    Buffer.from([more % 255]),
    bytes,
  ]);
}

function xerial(block: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(block.length);
  return Buffer.concat([Buffer.from('82534e4150505900', 'hex'), Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]), length, block]);
}

function varint(value: number): Buffer {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

function inLines(text: string, width: number): string {
  return text.replaceAll(new RegExp(`.{${width}}`, 'g'), '$&\n');
}
