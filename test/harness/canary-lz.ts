import { type Decoder, fail, type Input, type Output } from './canary-decode.ts';

/** The first bytes of Java's snappy streams (xerial framing), as Kafka's own client writes them. */
export const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1');

/** One raw snappy block. */
export const unsnap: Decoder = (input, output) => {
  const end = output.length + varint(input);
  while (output.length < end) snappyElement(input, output);
};

/** Snappy blocks in the xerial framing: each with its length, until the input ends. */
export const unsnapXerial: Decoder = (input, output) => {
  if (!input.part(8).bytes.equals(xerialMagic)) fail();
  input.skip(8);
  for (;;) {
    const length = input.big(4);
    if (length === 0 || length > 1 << 26) fail();
    unsnap(input.part(length), output);
  }
};

/** One raw lz4 block: it ends where its input ends. */
export const unlz4Block: Decoder = (input, output) => {
  for (;;) {
    const token = input.byte();
    input.copyTo(output, lz4Length(input, token >> 4));
    if (input.left === 0) break;
    const distance = input.little(2);
    output.repeat(distance, 4 + lz4Length(input, token & 15));
  }
  input.finish();
};

/** An lz4 frame without a dictionary; checksums are not looked at. */
export const unlz4Frame: Decoder = (input, output) => {
  if (input.little(4) !== 0x184d2204) fail();
  const flags = input.byte();
  if (flags >> 6 !== 1) fail();
  input.skip(2 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0));
  for (;;) {
    const header = input.little(4);
    if (header === 0) return;
    lz4FrameBlock(input, output, header);
    if (flags & 16) input.skip(4);
  }
};

/** PostgreSQL's own compression, without the header that tells its length. */
export const unpglz: Decoder = (input, output) => {
  while (input.left > 0) {
    const control = input.byte();
    for (let bit = 0; bit < 8 && input.left > 0; bit++) {
      if ((control >> bit) & 1) pglzMatch(input, output);
      else output.push(input.byte());
    }
  }
  input.finish();
};

/** A compressed Postgres value: size and method, then the compressed bytes. */
export const unpackToast: Decoder = (input, output) => {
  const method = input.little(4) >>> 30;
  if (method === 0) unpglz(input, output);
  else if (method === 1) unlz4Block(input, output);
  else fail();
};

/** The same inside a row: after the length word of a compressed value. */
export const unpackInlineToast: Decoder = (input, output) => {
  const header = input.little(4);
  if ((header & 3) !== 2 || header >>> 2 < 9) fail();
  unpackToast(input.part((header >>> 2) - 4), output);
};

function varint(input: Input): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = input.byte();
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return value;
  }
  return fail();
}

function snappyElement(input: Input, output: Output): void {
  const tag = input.byte();
  const upper = tag >> 2;
  const kind = tag & 3;
  if (kind === 0) input.copyTo(output, 1 + (upper < 60 ? upper : input.little(upper - 59)));
  else if (kind === 1) output.repeat(((tag >> 5) << 8) | input.byte(), 4 + (upper & 7));
  else output.repeat(input.little(kind === 2 ? 2 : 4), 1 + upper);
}

function lz4Length(input: Input, nibble: number): number {
  let length = nibble;
  if (nibble < 15) return length;
  for (let byte = 255; byte === 255; length += byte) byte = input.byte();
  return length;
}

function lz4FrameBlock(input: Input, output: Output, header: number): void {
  const length = header & 0x7fffffff;
  if (length > 4 << 20) fail();
  const block = input.part(length);
  if (header >>> 31) block.copyTo(output, length);
  else unlz4Block(block, output);
}

function pglzMatch(input: Input, output: Output): void {
  const first = input.byte();
  const distance = ((first & 0xf0) << 4) | input.byte();
  const length = (first & 15) + 3;
  output.repeat(distance, length === 18 ? length + input.byte() : length);
}
