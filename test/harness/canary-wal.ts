import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Source } from './canary.ts';
import { fileBytes } from './canary-bytes.ts';

const pageBytes = 8192;
const headerBytes = 24;
const longHeaderBytes = 40;
const longHeaderFlag = 2;
// Enough of the next segment for whatever runs over the end of this one.
const followingPages = 8;

/** Whether the path looks like a segment of a write-ahead log. */
export function isWalSegment(path: string): boolean {
  return /^[0-9A-F]{24}(\.partial)?$/.test(basename(path));
}

/**
 * A segment as one stream: a record that runs over the end of a page is cut in two by the
 * header of the next page, and nobody would find a canary across it.
 */
export function* walPayload(segment: { readonly name: string; readonly path: string }): Generator<Source> {
  const bytes = [
    ...pagesWithoutHeaders(segment.path),
    ...pagesWithoutHeaders(nextSegment(segment.path), followingPages),
  ];
  yield { name: `${segment.name} without page headers`, bytes: Buffer.concat(bytes) };
}

function* pagesWithoutHeaders(path: string, pagesMax = Number.POSITIVE_INFINITY): Generator<Buffer> {
  if (!existsSync(path)) return;
  using segment = fileBytes(path);
  for (let page = 0; page < pagesMax && page * pageBytes < segment.size; page++) {
    const bytes = segment.read(page * pageBytes, pageBytes);
    const isLong = bytes.length > headerBytes && (bytes.readUInt16LE(2) & longHeaderFlag) !== 0;
    yield bytes.subarray(isLong ? longHeaderBytes : headerBytes);
  }
}

/** The name of the following segment, as far as it is in the same 4 GiB of log. */
function nextSegment(path: string): string {
  const name = basename(path).slice(0, 24);
  const next = BigInt(`0x${name}`) + 1n;
  return join(dirname(path), next.toString(16).toUpperCase().padStart(24, '0'));
}
