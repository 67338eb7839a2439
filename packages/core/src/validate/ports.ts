import type { Tail } from '../revisions/ports.ts';
import type { Head } from '../revisions/revision.ts';
import type { TokenKey } from '../tokens/token-key.ts';
import type { TokenRecord } from '../tokens/token-record.ts';

/** What one statement on the primary said, from one snapshot. */
export interface RecordsRead {
  /** One a key, in order; null where there is no such record. */
  readonly records: readonly (TokenRecord | null)[];
  readonly tail: Tail;
}

/** Reads token records. */
export interface RecordReader {
  /**
   * @param revision the tail is what follows it.
   * @throws StoreUnavailable
   */
  read(keys: readonly TokenKey[], revision: number): Promise<RecordsRead>;
}

/** What a resource server is shown. As long as it is remembered, the same object. */
export interface Release {
  /** The names of the claims: none where the resource server is not known. */
  readonly claims: readonly string[];
  /** In whose terms it is told who the user is; null: by the user's id. */
  readonly pairwiseSector: string | null;
  /** The revision that it was read at. */
  readonly revision: number;
}

/** Reads what resource servers are shown. */
export interface ReleaseReader {
  /**
   * At once where it has been read before, in the same history, at this revision or later.
   * @param generation the follower's.
   * @throws StoreUnavailable
   */
  releaseOf(audience: string, revision: number, generation: number): Release | Promise<Release>;
}

/** This replica in the census. */
export interface Census {
  /**
   * Commits this replica's row, and returns when that is safe on every standby that must have it. A primary that has
   * been cut off can't.
   * @throws StoreUnavailable
   */
  beat(applied: Head): Promise<Tail>;
  /** Says that this replica answers nothing any more. @throws StoreUnavailable */
  leave(): Promise<void>;
}
