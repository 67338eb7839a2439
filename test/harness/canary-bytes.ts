import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes to be read from anywhere; a read past the end is short. */
export interface Bytes extends Disposable {
  readonly size: number;
  read(at: number, length: number): Buffer;
}

/** A part of the bytes: each place in [from, to) belongs to exactly one block; what surrounds it is context. */
export interface Block {
  readonly data: Buffer;
  /** Where data[0] stands in the whole. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

const blockBytes = 1 << 20;

export function bufferBytes(buffer: Buffer): Bytes {
  return {
    size: buffer.length,
    read: (at, length) => buffer.subarray(at, at + length),
    [Symbol.dispose]: () => undefined,
  };
}

/** A file of any size, as long as it was when opened. Reads inside the last block read cost no system call. */
export function fileBytes(path: string): Bytes {
  const file = openSync(path, 'r');
  const { size } = fstatSync(file);
  let block: Buffer = Buffer.alloc(0);
  let blockAt = 0;
  return {
    size,
    read(at, wanted) {
      const length = Math.max(0, Math.min(wanted, size - at));
      const start = at - blockAt;
      if (start >= 0 && start + length <= block.length) return block.subarray(start, start + length);
      const data = readFully(file, at, length);
      if (wanted >= blockBytes) [block, blockAt] = [data, at];
      return data;
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** The bytes in blocks, each with `behind` bytes of context before it and `ahead` after it. */
export function* blocksOf(bytes: Bytes, behind: number, ahead: number): Generator<Block> {
  for (let start = 0; start < bytes.size; start += blockBytes) {
    const at = Math.max(0, start - behind);
    const data = bytes.read(at, start - at + blockBytes + ahead);
    const from = start - at;
    if (data.length <= from) return; // the file has been cut since it was opened
    yield { data, at, from, to: Math.min(from + blockBytes, data.length) };
  }
}

function readFully(file: number, at: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const got = readSync(file, data, filled, length - filled, at + filled);
    if (got === 0) break; // it has been cut since
    filled += got;
  }
  return data.subarray(0, filled);
}
