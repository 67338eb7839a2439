import { type Decoder, fail, type Input, type Output } from './canary-decode.ts';

// node:zlib throws away what it has inflated when it meets an error; a torn stream may
// still hold a secret, so this one keeps everything up to the bad bit.

const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const distanceBits = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A gzip member (RFC 1952). */
export const gunzip: Decoder = (input, output) => {
  if (input.big(3) !== 0x1f8b08) fail();
  const flags = input.byte();
  if (flags > 31) fail();
  input.skip(6);
  if (flags & 4) input.skip(input.little(2));
  if (flags & 8) skipText(input);
  if (flags & 16) skipText(input);
  if (flags & 2) input.skip(2);
  inflateRaw(input, output);
};

/** A zlib stream (RFC 1950) without a preset dictionary. */
export const inflate: Decoder = (input, output) => {
  if (!isZlibHeader(input.big(2))) fail();
  inflateRaw(input, output);
};

/** Whether two bytes can begin a zlib stream: any window, any level, no dictionary. */
export function isZlibHeader(pair: number): boolean {
  return (pair & 0x8f00) === 0x0800 && (pair & 0x20) === 0 && pair % 31 === 0;
}

/** A raw deflate stream (RFC 1951). */
export const inflateRaw: Decoder = (input, output) => {
  const bits = new Bits(input);
  for (let last = false; !last; ) {
    last = bits.take(1) === 1;
    const kind = bits.take(2);
    if (kind === 0) copyStored(bits, output);
    else if (kind === 1) readCoded(bits, output, fixedLiterals, fixedDistances);
    else if (kind === 2) readDynamic(bits, output);
    else fail();
  }
};

/**
 * Whether a raw deflate stream may begin here. Cheap, since it is asked at every byte:
 * most places fail in the first block's header, and a thrown Stop costs a microsecond.
 */
export function mayBeDeflate(data: Buffer, at: number): boolean {
  if (at + 5 > data.length) return false;
  const head = data.readUInt32LE(at);
  const kind = (head >>> 1) & 3;
  if (kind === 0) return ((data.readUInt32LE(at + 1) >>> 16) ^ data.readUInt16LE(at + 1)) === 0xffff;
  if (kind === 1) return !beginsWithMatch(head);
  return kind === 2 && ((head >>> 3) & 31) < 30 && ((head >>> 8) & 31) < 30 && hasFullCode(data, at);
}

/** In the fixed code, whether the first symbol repeats something, before there is anything. */
function beginsWithMatch(head: number): boolean {
  const symbol = reversed(head >>> 3, 8);
  return (symbol > 1 && symbol < 48) || symbol >> 3 === 24;
}

/** Whether the lengths of the code for code lengths (from bit 17 on, three bits each) use up its space. */
function hasFullCode(data: Buffer, at: number): boolean {
  const count = ((data.readUInt16LE(at + 1) >>> 5) & 15) + 4;
  let space = 0;
  for (let bit = 17; bit < 17 + 3 * count; bit += 3) {
    const pair = (data[at + (bit >> 3)] ?? 0) | ((data[at + (bit >> 3) + 1] ?? 0) << 8);
    const length = (pair >> (bit & 7)) & 7;
    if (length > 0) space += 128 >> length;
  }
  return space === 128;
}

/** A prefix code as a table over the next `width` bits: symbol << 4 | length, 0 where no code stands. */
interface Code {
  readonly width: number;
  readonly table: Uint16Array;
}

class Bits {
  readonly input: Input;
  #held = 0;
  #count = 0;

  constructor(input: Input) {
    this.input = input;
  }

  take(count: number): number {
    this.#fill();
    const taken = this.#held & ((1 << count) - 1);
    this.#drop(count);
    return taken;
  }

  symbol(code: Code): number {
    this.#fill();
    const entry = code.table[this.#held & ((1 << code.width) - 1)] as number;
    // Near the end zeros stand in for missing bits: then it is hunger, not an error.
    if (entry === 0) return this.#count < code.width ? this.input.starve() : fail();
    this.#drop(entry & 15);
    return entry >> 4;
  }

  alignToByte(): void {
    this.#drop(this.#count & 7);
  }

  get held(): number {
    return this.#count;
  }

  #fill(): void {
    const { input } = this;
    while (this.#count <= 16 && input.at < input.bytes.length) {
      this.#held |= (input.bytes[input.at++] as number) << this.#count;
      this.#count += 8;
    }
  }

  #drop(count: number): void {
    if (count > this.#count) this.input.starve();
    this.#held >>>= count;
    this.#count -= count;
  }
}

function skipText(input: Input): void {
  while (input.byte() !== 0);
}

function copyStored(bits: Bits, output: Output): void {
  bits.alignToByte();
  let length = bits.take(16);
  if ((bits.take(16) ^ length) !== 0xffff) fail();
  for (; length > 0 && bits.held > 0; length--) output.push(bits.take(8));
  bits.input.copyTo(output, length);
}

function readDynamic(bits: Bits, output: Output): void {
  const literals = bits.take(5) + 257;
  const distances = bits.take(5) + 1;
  if (literals > 286 || distances > 30) fail();
  const lengths = readCodeLengths(bits, literals + distances);
  if (lengths[256] === 0) fail();
  const literalCode = codeOf(lengths.subarray(0, literals), true);
  readCoded(bits, output, literalCode, codeOf(lengths.subarray(literals), true));
}

function readCodeLengths(bits: Bits, total: number): Uint8Array {
  const own = new Uint8Array(19);
  const count = bits.take(4) + 4;
  for (let i = 0; i < count; i++) own[codeLengthOrder[i] as number] = bits.take(3);
  const code = codeOf(own, false);
  const lengths = new Uint8Array(total);
  for (let at = 0; at < total; ) {
    const symbol = bits.symbol(code);
    if (symbol < 16) lengths[at++] = symbol;
    else at = repeatLength(bits, lengths, at, symbol);
  }
  return lengths;
}

function repeatLength(bits: Bits, lengths: Uint8Array, at: number, symbol: number): number {
  if (symbol === 16 && at === 0) fail();
  const value = symbol === 16 ? (lengths[at - 1] as number) : 0;
  const count = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
  if (at + count > lengths.length) fail();
  lengths.fill(value, at, at + count);
  return at + count;
}

function readCoded(bits: Bits, output: Output, literals: Code, distances: Code): void {
  for (;;) {
    const symbol = bits.symbol(literals);
    if (symbol < 256) output.push(symbol);
    else if (symbol === 256) return;
    else repeat(bits, output, symbol - 257, distances);
  }
}

function repeat(bits: Bits, output: Output, symbol: number, distances: Code): void {
  const base = lengthBase[symbol] ?? fail();
  const length = base + bits.take(lengthBits[symbol] as number);
  const far = bits.symbol(distances);
  const distance = (distanceBase[far] ?? fail()) + bits.take(distanceBits[far] as number);
  output.repeat(distance, length);
}

/** Builds the table of a canonical code; as zlib does, refuses what no compressor writes. */
function codeOf(lengths: Uint8Array, mayBeSingle: boolean): Code {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  const used = lengths.length - (counts[0] as number);
  const width = Math.max(1, ...lengths);
  const next = firstCodes(counts);
  if (next[16] !== 1 << 15 && !(mayBeSingle && used <= 1)) fail();
  const table = new Uint16Array(1 << width);
  lengths.forEach((length, symbol) => {
    if (length === 0) return;
    const code = next[length] as number;
    next[length] = code + 1;
    for (let at = reversed(code, length); at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
  });
  return { width, table };
}

/** First code of each length; at index 16 how much of the code space is used, of 2^15. */
function firstCodes(counts: Uint16Array): Uint32Array {
  const next = new Uint32Array(17);
  let code = 0;
  let space = 0;
  for (let length = 1; length <= 15; length++) {
    next[length] = code;
    const count = counts[length] as number;
    code = (code + count) << 1;
    space += count << (15 - length);
    if (space > 1 << 15) fail();
  }
  next[16] = space;
  return next;
}

function reversed(code: number, length: number): number {
  let mirrored = 0;
  for (let bit = 0; bit < length; bit++) mirrored |= ((code >> bit) & 1) << (length - 1 - bit);
  return mirrored;
}

const fixedLiterals = codeOf(
  Uint8Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
  false,
);
const fixedDistances = codeOf(new Uint8Array(32).fill(5), false);
