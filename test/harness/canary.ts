import { setImmediate } from 'node:timers/promises';
import { type Bytes, bufferBytes, fileBytes } from './canary-bytes.ts';
import { NeedleIndex } from './canary-index.ts';
import { type Canary, needlesOf } from './canary-needles.ts';
import { scan } from './canary-scan.ts';

export type { Canary } from './canary-needles.ts';

/** Something that an attacker can take: bytes at hand, or a file of any size. */
export type Source =
  | { readonly name: string; readonly bytes: Buffer }
  | { readonly name: string; readonly path: string /** A live server may remove it. */; readonly mayVanish?: true };

/** A canary that stands in a source. */
export interface Finding {
  readonly canary: string;
  readonly source: string;
  /** Where in the source it begins; for a compressed one, where the outermost compressed stream begins. */
  readonly offset: number;
  /** How it stands there: `utf16le`, `base64@1`, `gzip > hex`, ... */
  readonly encoding: string;
}

/**
 * Looks for secrets in everything that can be taken: raw, in the encodings of canary-needles.ts,
 * and in those again inside compressed data (gzip, zlib, raw deflate, zstd, lz4 frames, snappy in
 * xerial framing or in Kafka batches, Postgres's inline pglz and lz4), compressed at most twice.
 * Each canary is reported once for each source and encoding, at its first place; one place may be
 * reported under two names.
 *
 * Not found: encryption and hashes of course; encodings inside encodings (hex of base64, base64 of
 * gzip), unless the source opens one of them; a canary that is cut short or altered (give parts of
 * long ones as canaries of their own); base62 of a longer text as one big number; raw deflate not
 * at the start of a source above 64 KiB; raw snappy outside Kafka batches, brotli, xz, bzip2; streams
 * that need a dictionary; what lies beyond 64 MiB of one decompressed stream; the first 128 KiB
 * block of a zstd frame torn in that block; page images in a write-ahead log with wal_compression on.
 *
 * @throws RangeError when there is no canary, or one too short to be found everywhere.
 */
export async function findCanaries(
  sources: AsyncIterable<Source> | readonly Source[],
  canaries: readonly Canary[],
): Promise<Finding[]> {
  if (canaries.length === 0) throw new RangeError('no canaries to look for');
  const index = new NeedleIndex(canaries.flatMap(needlesOf));
  const findings: Finding[] = [];
  for await (const source of sources) findings.push(...(await findIn(source, index)));
  return findings;
}

async function findIn(source: Source, index: NeedleIndex): Promise<readonly Finding[]> {
  using bytes = open(source);
  const findings = new Map<string, Finding>();
  const steps = scan(bytes, index, ({ canary, encoding: inner }, unpacked, offset) => {
    const encoding = [...unpacked, inner].join(' > ');
    const key = JSON.stringify([canary, encoding]);
    if (!findings.has(key)) findings.set(key, { canary, source: source.name, offset, encoding });
  });
  // A server that runs in this process gets its turn between two blocks.
  for (const _ of steps) await setImmediate();
  return [...findings.values()];
}

function open(source: Source): Bytes {
  if ('bytes' in source) return bufferBytes(source.bytes);
  try {
    return fileBytes(source.path);
  } catch (error) {
    if (source.mayVanish && (error as NodeJS.ErrnoException).code === 'ENOENT') return bufferBytes(Buffer.alloc(0));
    throw error;
  }
}
