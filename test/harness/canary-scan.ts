import { type Block, type Bytes, blocksOf, bufferBytes } from './canary-bytes.ts';
import { formatByMark, formats, toastFormat, unpack } from './canary-compressed.ts';
import { type NeedleIndex, windowHash } from './canary-index.ts';
import { inflateRaw, mayBeDeflate } from './canary-inflate.ts';
import { canaryBytesMin, type Needle } from './canary-needles.ts';
import { Joined } from './canary-wrapped.ts';

/** Called with each needle that stands somewhere: by which decompressions it was reached, and where. */
export type Report = (needle: Needle, unpacked: readonly string[], offset: number) => void;

// The mark of a format stands at most this far into its data.
const markMax = 32;
const nestingMax = 2;
// Raw deflate has no magic: in small sources it is tried at every offset, in others at the first.
const deflateEverywhereMax = 64 << 10;

/** Looks for every needle in the bytes and in whatever is compressed in them, yielding now and then. */
export function* scan(
  bytes: Bytes,
  index: NeedleIndex,
  report: Report,
  unpacked: readonly string[] = [],
): Generator<void> {
  const nested = (name: string, at: number, output: Buffer) => {
    if (output.length < canaryBytesMin) return;
    const inner: Report = (needle, names) => report(needle, names, at);
    for (const _ of scan(bufferBytes(output), index, inner, [...unpacked, name])); // to its end
  };
  const unpacks = unpacked.length < nestingMax;
  for (const block of blocksOf(bytes, index.longest + markMax, 2 * index.longest + markMax)) {
    const found = (needle: Needle, at: number) => report(needle, unpacked, block.at + at);
    scanBlock(block, index, found, (format, mark) => {
      if (unpacks) tryFormat(bytes, block, format, mark, nested);
    });
    scanWrapped(block, index, (needle, at) => report(wrapped(needle), unpacked, block.at + at));
    yield;
  }
  if (unpacks) tryDeflate(bytes, unpacked.length === 0, nested);
}

type Nested = (name: string, at: number, output: Buffer) => void;
type Found = (needle: Needle, at: number) => void;

/** The one pass over the bytes: four of them at a time may belong to a needle, two may mark a format. */
function scanBlock(block: Block, index: NeedleIndex, found: Found, marked: (format: number, at: number) => void): void {
  const { data, from, to } = block;
  for (let i = from; ; i++) {
    i = nextOfInterest(data, i, to, index.table, formatByMark);
    if (i === to) return;
    const window = windowBefore(data, i + 1);
    for (const { needle, at } of index.matches(data, i - 3, window)) found(needle, at);
    marked(formatByMark[window & 0xffff] as number, i - 1);
  }
}

/** Index of the next byte that completes something. The tables are arguments because V8 is three times faster so. */
function nextOfInterest(data: Uint8Array, from: number, to: number, windows: Uint8Array, marks: Uint8Array): number {
  let window = windowBefore(data, from);
  for (let i = from; i < to; i++) {
    window = (window << 8) | (data[i] as number);
    if (windows[windowHash(window)] !== 0) return i;
    const format = marks[window & 0xffff] as number;
    // Zeros are everywhere: before them must stand a length below 2^13 with the bits of a compressed value.
    if (format !== 0 && (format !== toastFormat || (window & 0x03800000) === 0x02000000)) return i;
  }
  return to;
}

/** The four bytes before `end` as an integer; zeros where the data begin later. */
function windowBefore(data: Uint8Array, end: number): number {
  let window = 0;
  for (let i = Math.max(0, end - 4); i < end; i++) window = (window << 8) | (data[i] as number);
  return window;
}

function tryFormat(bytes: Bytes, block: Block, number: number, mark: number, nested: Nested): void {
  const format = formats[number];
  if (!format?.plausible(block.data, mark)) return;
  const at = block.at + mark - format.markAt;
  if (at >= 0) nested(format.name, at, unpack(bytes, at, format.decoder));
}

function tryDeflate(bytes: Bytes, everywhere: boolean, nested: Nested): void {
  const tries = everywhere && bytes.size <= deflateEverywhereMax ? bytes.size : 1;
  const data = bytes.read(0, tries + 64);
  for (let at = 0; at < tries; at++) {
    if (mayBeDeflate(data, at)) nested('deflate', at, unpack(bytes, at, inflateRaw));
  }
}

/** Looks again with the line breaks taken out: base64 and hex are often broken into lines. */
function scanWrapped(block: Block, index: NeedleIndex, found: Found): void {
  const joined = new Joined(block.data);
  const { data } = joined;
  if (data.length === block.data.length) return;
  const broken: Found = (needle, at) => {
    const start = joined.originOf(at);
    const end = joined.originOf(at + needle.bytes.length - 1);
    if (end - start >= needle.bytes.length) found(needle, start);
  };
  scanBlock({ data, at: 0, from: 0, to: data.length }, index, broken, () => undefined);
}

function wrapped(needle: Needle): Needle {
  return { ...needle, encoding: `${needle.encoding} wrapped` };
}
