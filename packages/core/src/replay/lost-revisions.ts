import type { Chain } from '../revisions/chain.ts';
import type { Head, RevisionContent, SealedRevision } from '../revisions/revision.ts';
import { formatRevision, type RevisionName } from '../revisions/revision-text.ts';
import { ReplayRefused } from './ports.ts';

/** A revision that was lost, and where it lies. */
export interface LostRevision extends Head {
  readonly offset: bigint;
  readonly previousHash: string;
  /** Milliseconds since 1970. */
  readonly recordedAt: number;
  /** The resource servers of which it changed what they are shown. */
  readonly releases: readonly string[];
  /** The tenants of which it changed what their policies hold against tokens that are there. */
  readonly policies: readonly string[];
}

/**
 * Finds out which of the revisions on a topic a restored database has lost: those that lead on from its head. Each is
 * verified by its keyed hash. Those up to the head are not kept, for there may be very many of them: but for the latest
 * that the database is not of.
 */
export class LostRevisions {
  readonly #head: Head;
  readonly #chain: Chain;
  /** All with higher numbers than the head's, by their hash: where an earlier restore was not replayed, of several histories. */
  readonly #later = new Map<string, LostRevision>();
  /** Those up to the head that were offered last. */
  #before: LostRevision[] = [];
  #strange: LostRevision | null = null;
  #isEmpty = true;

  constructor(head: Head, chain: Chain) {
    this.#head = head;
    this.#chain = chain;
  }

  /** Whether the topic has held no revision of this installation. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Those up to the head that were offered since this was asked before: whether it is of them, only the database can tell. */
  takeBefore(): readonly LostRevision[] {
    const before = this.#before;
    this.#before = [];
    return before;
  }

  /** Takes those of them that the database is not of. */
  noteStrange(strange: readonly LostRevision[]): void {
    for (const one of strange) if (one.revision > (this.#strange?.revision ?? 0)) this.#strange = one;
  }

  /**
   * Takes what lies on the topic; false where this installation did not write it.
   * @throws ReplayRefused where it did, in a version that says more than is understood here.
   */
  offer(sealed: SealedRevision, offset: bigint): boolean {
    const { revision, previousHash, hash } = sealed;
    const content = this.#contentOf(sealed);
    if (!content) return false;
    this.#isEmpty = false;
    const { recordedAt, releases = [], policies = [] } = content;
    const one = { revision, hash, previousHash, offset, recordedAt, releases, policies };
    if (revision <= this.#head.revision) this.#before.push(one);
    else if (!this.#later.has(hash)) this.#later.set(hash, one);
    return true;
  }

  #contentOf(sealed: SealedRevision): RevisionContent | null {
    const { revision, previousHash } = sealed;
    try {
      return this.#chain.continues({ revision: revision - 1, hash: previousHash }, sealed);
    } catch (error) {
      throw new ReplayRefused(`revision ${revision} is of a version that is not known here`, { cause: error });
    }
  }

  /**
   * The revisions from the head to the end of the topic's history, in order: none, where that is not after the head.
   * @param to the last one, where the topic has several ends; null: its only end.
   * @throws ReplayRefused where that does not lead on from the head, or there are several ends: one that is not after the
   *   head is an end, too, if the database is not of it.
   */
  wayTo(to: RevisionName | null): readonly LostRevision[] {
    const ends = to ? this.#named(to) : this.#ends();
    const ways = ends.map((end) => this.#wayTo(end));
    const [way] = ways;
    if (!way) return [];
    if (ways.length === 1 && !way.brokenBy) return way.revisions;
    throw new ReplayRefused(
      `the topic does not simply continue revision ${this.#head.revision}, at which the database stands: ` +
        `${ways.map(describe).join('; ')}. Name by --to the revision that it is to be brought to: ` +
        `${formatRevision(this.#head)} leaves it where it stands, and what the others revoked is to be revoked anew`,
    );
  }

  #named({ revision, hashStart }: RevisionName): LostRevision[] {
    const named = [...this.#later.values()].find((one) => one.revision === revision && one.hash.startsWith(hashStart));
    if (!named) throw new ReplayRefused(`there is no such revision on the topic after ${this.#head.revision}`);
    return [named];
  }

  #ends(): LostRevision[] {
    const all = [...(this.#strange ? [this.#strange] : []), ...this.#later.values()];
    const continued = new Set(all.map(({ previousHash }) => previousHash));
    return all.filter(({ hash }) => !continued.has(hash));
  }

  #wayTo(end: LostRevision): Way {
    const revisions = [end];
    for (let first = end; ; ) {
      if (first.previousHash === this.#head.hash) return { end, revisions: revisions.reverse(), brokenBy: null };
      const before = this.#later.get(first.previousHash);
      if (!before) return { end, revisions, brokenBy: this.#reasonBefore(first) };
      revisions.push(before);
      first = before;
    }
  }

  #reasonBefore({ revision }: LostRevision): string {
    return revision <= this.#head.revision + 1
      ? `another history, which the database is not of`
      : `revision ${revision - 1} is missing, or was altered`;
  }
}

interface Way {
  readonly end: LostRevision;
  readonly revisions: readonly LostRevision[];
  /** Why it does not lead on from the head; null: it does. */
  readonly brokenBy: string | null;
}

const describe = ({ end, brokenBy }: Way): string =>
  `${formatRevision(end)} is number ${end.revision}, of ${new Date(end.recordedAt).toISOString()}, and ` +
  (brokenBy ? `does not lead on from it (${brokenBy})` : 'leads on from it');
