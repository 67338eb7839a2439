import type { Head, RevisionContent, SealedRevision } from './revision.ts';
import type { Mark } from './watermarks.ts';

/** Turns what a revision says into bytes and back; the bytes are those of the events on Kafka. */
export interface RevisionCodec {
  encode(content: RevisionContent): Uint8Array;
  /** @throws when the bytes are no revision, or one of a version or kind that is not known here. */
  decode(content: Uint8Array): RevisionContent;
}

/** A keyed hash (HMAC-SHA256), in hexadecimal digits. The key is not in the database. */
export type Mac = (...parts: readonly (string | Uint8Array)[]) => string;

/** Where the database's history stands, with what came after a revision. */
export interface Tail {
  readonly head: Head;
  /** The revisions that follow the one asked after, in order, as many as were read at once. */
  readonly missed: readonly SealedRevision[];
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
  /** Names the server process that answered: after a restart, a restore or a failover it is another. */
  readonly server: string;
}

/** What the database says of all that is in force, from the snapshot that the marks are of. */
export interface HistorySnapshot {
  readonly head: Head;
  /** The digest over all marks, and the mac over head and digest: see `sealHistory`. */
  readonly digest: string;
  readonly mac: string;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
}

/** Hashes of revisions that were asked for, by their numbers: of those that there are. */
export type Hashes = ReadonlyMap<number, string>;

/** Reads the history of revisions, on the primary. */
export interface HistoryReader {
  /**
   * Reads all marks and gives them to `take`, some at a time, with the snapshot's `now`: there may be very many.
   * @throws StoreUnavailable
   */
  load(take: (marks: readonly Mark[], now: number) => void): Promise<HistorySnapshot>;
  /** @throws StoreUnavailable */
  readAfter(revision: number): Promise<Tail>;
  /**
   * The hashes alone of any number of revisions, with what came after the one that is known, from one snapshot.
   * @throws StoreUnavailable
   */
  hashesOf(revisions: readonly number[], after: number): Promise<{ readonly hashes: Hashes; readonly tail: Tail }>;
}

/**
 * Something that brings revisions soon: Kafka, or polling Postgres. It may lose, double, reorder or forge them: the
 * follower applies what continues its chain and asks the database about the rest.
 */
export interface RevisionSource {
  /** Delivers until closed. A hint is "something is new, ask", where the source does not bring the revision itself. */
  subscribe(deliver: (revision: SealedRevision | 'hint') => void): Promise<AsyncDisposable>;
}
