import type { Source } from './canary.ts';
import { type Bytes, fileBytes } from './canary-bytes.ts';
import { outputMax } from './canary-compressed.ts';
import { decode } from './canary-decode.ts';
import { unpackToast } from './canary-lz.ts';

const pageBytes = 8192;
const pageHeaderBytes = 24;
// Values whose chunks lie so far apart are looked at in parts.
const pendingMax = 32 << 20;

interface Chunk {
  readonly value: number;
  readonly sequence: number;
  readonly data: Buffer;
}

/**
 * The values that Postgres has cut into chunks of some two thousand bytes and put into a TOAST
 * table, if the file is one: joined, and if they are compressed also decompressed. Rows that are
 * deleted but not yet overwritten are among them.
 */
export function* toastValues(file: { readonly name: string; readonly path: string }): Generator<Source> {
  using table = fileBytes(file.path);
  let pending = new Map<number, Chunk[]>();
  let bytes = 0;
  for (const chunk of chunksOf(table)) {
    const chunks = pending.get(chunk.value);
    if (chunks) chunks.push(chunk);
    else pending.set(chunk.value, [chunk]);
    bytes += chunk.data.length;
    if (bytes < pendingMax) continue;
    yield* joined(file.name, pending);
    [pending, bytes] = [new Map(), 0];
  }
  yield* joined(file.name, pending);
}

function* joined(name: string, values: ReadonlyMap<number, Chunk[]>): Generator<Source> {
  for (const [value, chunks] of values) {
    chunks.sort((one, other) => one.sequence - other.sequence);
    const bytes = Buffer.concat(chunks.map((chunk) => chunk.data));
    yield { name: `${name} toast ${value}`, bytes };
    const { output } = decode(unpackToast, bytes, outputMax);
    if (output.length > 0) yield { name: `${name} toast ${value} decompressed`, bytes: output };
  }
}

function* chunksOf(table: Bytes): Generator<Chunk> {
  for (let at = 0; at < table.size; at += pageBytes) {
    const page = table.read(at, pageBytes);
    if (page.length < pageBytes || page.readUInt16LE(18) >> 8 !== pageBytes >> 8) continue;
    const pointersEnd = Math.min(page.readUInt16LE(12), pageBytes);
    for (let pointer = pageHeaderBytes; pointer + 4 <= pointersEnd; pointer += 4) {
      const chunk = chunkAt(page, page.readUInt32LE(pointer));
      if (chunk) yield chunk;
    }
  }
}

/** The row behind a line pointer, if it has the shape of a chunk: (oid, integer, bytea), none of them null. */
function chunkAt(page: Buffer, pointer: number): Chunk | undefined {
  const row = page.subarray(pointer & 0x7fff, (pointer & 0x7fff) + (pointer >>> 17));
  if (row.length < 37 || row[22] !== 24) return undefined;
  const columns = row.readUInt16LE(18) & 0x7ff;
  const hasNulls = (row.readUInt16LE(20) & 1) !== 0;
  const header = row.readUInt32LE(32);
  if (columns !== 3 || hasNulls || (header & 3) !== 0 || header >>> 2 !== row.length - 32) return undefined;
  return { value: row.readUInt32LE(24), sequence: row.readInt32LE(28), data: row.subarray(36) };
}
