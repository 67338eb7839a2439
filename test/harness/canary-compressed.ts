import type { Bytes } from './canary-bytes.ts';
import { type Decoder, decode, fail } from './canary-decode.ts';
import { gunzip, inflate, isZlibHeader } from './canary-inflate.ts';
import { unlz4Frame, unpackInlineToast, unsnap, unsnapXerial, xerialMagic } from './canary-lz.ts';
import { unzstd } from './canary-zstd.ts';

/** A kind of compressed data that two of its bytes give away. */
export interface Format {
  readonly name: string;
  /** Where in the compressed data the two bytes stand. */
  readonly markAt: number;
  readonly decoder: Decoder;
  /** A cheap look around the two bytes, before anything is allocated; what lies outside `data` reads as undefined. */
  readonly plausible: (data: Buffer, mark: number) => boolean;
}

/** More of one compressed stream is not looked at. */
export const outputMax = 64 << 20;

const inputMax = 2 * outputMax;
const probeBytes = 4096;
const kafkaHeaderBytes = 61;

const gzip: Format = {
  name: 'gzip',
  markAt: 0,
  decoder: gunzip,
  plausible: (data, mark) => data[mark + 2] === 8,
};
const zlib: Format = { name: 'zlib', markAt: 0, decoder: inflate, plausible: () => true };
const zstd: Format = {
  name: 'zstd',
  markAt: 0,
  decoder: unzstd,
  plausible: (data, mark) => data[mark + 2] === 0x2f && data[mark + 3] === 0xfd,
};
const lz4: Format = {
  name: 'lz4',
  markAt: 0,
  decoder: unlz4Frame,
  plausible: (data, mark) => data[mark + 2] === 0x4d && data[mark + 3] === 0x18,
};
const xerial: Format = {
  name: 'snappy-xerial',
  markAt: 0,
  decoder: unsnapXerial,
  plausible: (data, mark) => xerialMagic.equals(data.subarray(mark, mark + xerialMagic.length)),
};

/** Raw snappy has no magic of its own; the other codecs of Kafka are found by theirs. */
const kafkaSnappy: Format = {
  name: 'kafka-snappy',
  markAt: 21,
  plausible: (data, mark) => mark < 21 || (data[mark - 5] === 2 && saneLength(data.readInt32BE(mark - 13))),
  decoder(input, output) {
    input.skip(8);
    const length = input.big(4);
    input.skip(4);
    if (input.byte() !== 2 || !saneLength(length)) fail();
    input.skip(6);
    const lastOffsetDelta = input.big(4);
    input.skip(30);
    const records = input.big(4);
    if (records < 1 || records > lastOffsetDelta + 1) fail();
    const payload = input.part(length + 12 - kafkaHeaderBytes);
    if (payload.bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) fail(); // found by itself
    unsnap(payload, output);
  },
};

/** A value that Postgres compressed (pglz or lz4) inside a row: the two bytes are the upper half of its length. */
const toast: Format = {
  name: 'toast',
  markAt: 2,
  decoder: unpackInlineToast,
  plausible(data, mark) {
    if (mark < 2 || mark + 6 > data.length) return true;
    const packed = data.readUInt16LE(mark - 2) >> 2;
    const header = data.readUInt32LE(mark + 2);
    const unpacked = header & 0x3fffffff;
    return packed > 9 && header >>> 31 === 0 && unpacked > packed - 8 && unpacked < packed * 256;
  },
};

/** Which formats two bytes (big-endian) give away, as an index into `formats`; 0 is none. */
export const formatByMark = new Uint8Array(1 << 16);
export const formats: readonly (Format | undefined)[] = [undefined, gzip, zlib, zstd, lz4, xerial, kafkaSnappy, toast];

for (let mark = 0; mark < formatByMark.length; mark++) formatByMark[mark] = formats.indexOf(formatOf(mark));
export const toastFormat = formats.indexOf(toast);

/** Decompresses what begins at `at`, reading only as much as it takes; empty if nothing does. */
export function unpack(bytes: Bytes, at: number, decoder: Decoder): Buffer {
  for (let length = probeBytes; ; length = Math.min(8 * length, inputMax)) {
    const input = bytes.read(at, length);
    const { output, outcome } = decode(decoder, input, outputMax);
    if (outcome !== 'hungry' || input.length < length || length === inputMax) return output;
  }
}

function formatOf(mark: number): Format | undefined {
  if (mark === 0x0000) return toast;
  if (mark === 0x1f8b) return gzip;
  if (mark === 0x28b5) return zstd;
  if (mark === 0x0422) return lz4;
  if (mark === xerialMagic.readUInt16BE(0)) return xerial;
  // The attributes of a Kafka batch: codec 2, any time stamp type, transactional, control, delete horizon.
  if ((mark & 0xff87) === 2) return kafkaSnappy;
  return isZlibHeader(mark) ? zlib : undefined;
}

function saneLength(batchLength: number): boolean {
  return batchLength > kafkaHeaderBytes - 12 && batchLength <= 128 << 20;
}
