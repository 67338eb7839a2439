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
   * The digest over all marks, at a head: a sum of keyed hashes modulo 2^256, which a change of some marks updates without
   * the others (Clarke et al., Incremental Multiset Hash Functions, 2003: MSet-Add-Hash). A keyed hash of the head is
   * added, so that digests seen one after the other don't tell what a mark weighs.
   */
  digestOf(marks: readonly Mark[], head: Head): string {
    return this.digestOfWeight(this.weightOf(marks), head);
  }

  /** What marks add to the digest. Those of several parts may be added up. */
  weightOf(marks: readonly Mark[]): bigint {
    return marks.reduce((sum, mark) => sum + this.#weight(mark), 0n);
  }

  /** The digest over marks of this weight altogether. */
  digestOfWeight(weight: bigint, head: Head): string {
    return this.#digest(weight + this.#mask(head));
  }

  /** The digest at the next head, after marks have been replaced: the one before by the one after. */
  digestAfter(
    { digest, head }: { readonly digest: string; readonly head: Head },
    next: Head,
    replaced: readonly (readonly [before: Mark | undefined, after: Mark])[],
  ): string {
    const change = replaced.reduce((sum, [before, after]) => sum + this.#weight(after) - this.#weight(before), 0n);
    return this.#digest(BigInt(`0x${digest}`) - this.#mask(head) + this.#mask(next) + change);
  }

  #digest(sum: bigint): string {
    return BigInt.asUintN(256, sum).toString(16).padStart(64, '0');
  }

  #weight(mark: Mark | undefined): bigint {
    return mark ? BigInt(`0x${this.#mac('mark', markText(mark))}`) : 0n;
  }

  #mask(head: Head): bigint {
    return BigInt(`0x${this.#mac('mask', String(head.revision), head.hash)}`);
  }

  /** Tells that a revocation was recorded by us. */
  sealRevocation(text: string): string {
    return this.#mac('revocation', text);
  }
}
