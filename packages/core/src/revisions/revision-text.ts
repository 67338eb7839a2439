import { decodeBase62, encodeBase62 } from '../tokens/base62.ts';
import type { Head } from './revision.ts';

/** How many bytes of a hash tell one history from another. */
const hashBytes = 7;

/** A revision as a caller names it. */
export interface RevisionName {
  readonly revision: number;
  /** The first hexadecimal digits of its hash. */
  readonly hashStart: string;
}

let latest = { revision: -1, hash: '', text: '' };

/** A revision as callers see it: opaque. It holds the number and the beginning of the hash. */
export function formatRevision(head: Head): string {
  // Most answers rest on the same head as the one before.
  if (head.revision !== latest.revision || head.hash !== latest.hash) latest = { ...head, text: textOf(head) };
  return latest.text;
}

function textOf({ revision, hash }: Head): string {
  const bytes = Buffer.alloc(8 + hashBytes);
  bytes.writeBigUInt64BE(BigInt(revision));
  bytes.write(hash.slice(0, 2 * hashBytes), 8, 'hex');
  return encodeBase62(bytes);
}

/** What `formatRevision` made, or null. */
export function parseRevision(text: string): RevisionName | null {
  const bytes = decodeBase62(text);
  if (bytes?.length !== 8 + hashBytes) return null;
  const revision = Number(bytes.readBigUInt64BE());
  return Number.isSafeInteger(revision) ? { revision, hashStart: bytes.toString('hex', 8) } : null;
}
