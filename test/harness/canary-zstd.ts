import { constants, zstdDecompressSync } from 'node:zlib';
import { type Decoder, fail, type Input } from './canary-decode.ts';

/** A zstd frame without a dictionary; of a torn one, every block up to the tear. */
export const unzstd: Decoder = (input, output) => {
  const { ends, complete } = blockEnds(input);
  output.append(longestPrefix(input.bytes, ends, output.max));
  if (!complete) input.starve();
};

/** Where each block of the frame ends: node:zlib would not say which part was good. */
function blockEnds(input: Input): { ends: number[]; complete: boolean } {
  skipFrameHeader(input);
  const ends: number[] = [];
  while (input.left >= 3) {
    const header = input.little(3);
    const kind = (header >> 1) & 3;
    const size = kind === 1 ? 1 : header >> 3;
    if (kind === 3 || size > 1 << 17) {
      if (ends.length === 0) fail();
      return { ends, complete: true };
    }
    if (size > input.left) return { ends: [...ends, input.bytes.length], complete: false };
    input.skip(size);
    ends.push(input.at);
    if (header & 1) return { ends, complete: true };
  }
  return { ends, complete: false };
}

function skipFrameHeader(input: Input): void {
  if (input.little(4) !== 0xfd2fb528) fail();
  const flags = input.byte();
  const single = (flags >> 5) & 1;
  if (flags & 8) fail();
  const dictionaryId = [0, 1, 2, 4][flags & 3] as number;
  const contentSize = [single, 2, 4, 8][flags >> 6] as number;
  input.skip(1 - single + dictionaryId + contentSize);
}

/** Decompresses as many blocks as can be: all, or by bisection the most that work and fit. */
function longestPrefix(bytes: Buffer, ends: readonly number[], outputMax: number): Buffer {
  let best = Buffer.alloc(0);
  let [good, bad] = [0, ends.length + 1];
  for (let count = ends.length; bad - good > 1 && count > 0; count = (good + bad) >> 1) {
    const output = decompress(bytes.subarray(0, ends[count - 1]), outputMax);
    if (output) [best, good] = [output, count];
    else bad = count;
  }
  return best;
}

function decompress(bytes: Buffer, outputMax: number): Buffer<ArrayBuffer> | undefined {
  try {
    return zstdDecompressSync(bytes, { finishFlush: constants.ZSTD_e_flush, maxOutputLength: outputMax });
  } catch {
    return undefined; // damaged, or too large
  }
}
