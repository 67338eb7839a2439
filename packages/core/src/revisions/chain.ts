import type { Mac, RevisionCodec } from './ports.ts';
import type { Head, RevisionContent, SealedRevision } from './revision.ts';
import { type Mark, markText } from './watermarks.ts';

/**
 * Makes and checks the chain of revisions. The hash is keyed, so that neither the topic nor someone who writes to the
 * database can make a revision; it covers the hash before it, so that it stands for the whole history.
 */
export class Chain {
  readonly #mac: Mac;
  readonly #codec: RevisionCodec;

  constructor(mac: Mac, codec: RevisionCodec) {
    this.#mac = mac;
    this.#codec = codec;
  }

  /** The revision that follows `head`. */
  next(head: Head, content: RevisionContent): SealedRevision {
    const revision = head.revision + 1;
    const bytes = this.#codec.encode(content);
    return { revision, previousHash: head.hash, content: bytes, hash: this.#hash(revision, head.hash, bytes) };
  }

  /** What the revision says, or null where it does not continue `head`: a gap, a repeat, another history, a forgery. */
  continues(head: Head, sealed: SealedRevision): RevisionContent | null {
    if (sealed.revision !== head.revision + 1 || sealed.previousHash !== head.hash) return null;
    if (this.#hash(sealed.revision, head.hash, sealed.content) !== sealed.hash) return null;
    return this.#codec.decode(sealed.content);
  }

  #hash(revision: number, previousHash: string, content: Uint8Array): string {
    return this.#mac('revision', String(revision), previousHash, content);
  }

  /** Covers head and digest, so that what is loaded at a start is what was written, to the last mark. */
  sealHistory(head: Head, digest: string): string {
    return this.#mac('history', String(head.revision), head.hash, digest);
  }

  /**
   * The digest after a mark has been replaced: a sum of keyed hashes modulo 2^256, which needs no other mark (Clarke et
   * al., Incremental Multiset Hash Functions, 2003: MSet-Add-Hash).
   */
  digestReplacing(digest: string, before: Mark | undefined, after: Mark | undefined): string {
    const sum = BigInt(`0x${digest}`) - this.#weight(before) + this.#weight(after);
    return BigInt.asUintN(256, sum).toString(16).padStart(64, '0');
  }

  /** The digest over all marks. */
  digestOf(marks: readonly Mark[]): string {
    const sum = marks.reduce((total, mark) => total + this.#weight(mark), 0n);
    return BigInt.asUintN(256, sum).toString(16).padStart(64, '0');
  }

  #weight(mark: Mark | undefined): bigint {
    return mark ? BigInt(`0x${this.#mac('mark', markText(mark))}`) : 0n;
  }
}

export const emptyDigest = '0'.repeat(64);
