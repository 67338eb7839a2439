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

/** What resource servers may see. */
export interface ReleaseReader {
  /**
   * The names of the claims released to the resource server: none where it is not known. At once where they have been
   * read before.
   * @throws StoreUnavailable
   */
  releasedClaims(audience: string): readonly string[] | Promise<readonly string[]>;
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
