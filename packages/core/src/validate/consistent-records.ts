import type { Signal } from '../access/act.ts';
import { type GatherLimits, gather } from '../gather.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Watermarks } from '../revisions/watermarks.ts';
import type { TokenKey } from '../tokens/token-key.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { RecordReader } from './ports.ts';

/** A record as of one snapshot, with all revisions up to that snapshot applied to the follower's watermarks. */
export interface RecordAsOf {
  readonly record: TokenRecord | null;
  /** The database's clock at the snapshot, milliseconds since 1970. */
  readonly now: number;
  readonly head: Head;
  /** What the history of that snapshot revokes, and what comes after in the same history. */
  readonly watermarks: Watermarks;
  /** The follower's, then. */
  readonly generation: number;
}

/** @throws StoreUnavailable, Overloaded */
export type ConsistentRecords = (key: TokenKey, signal?: Signal) => Promise<RecordAsOf>;

/**
 * Fully consistent reads: gathered into one statement on the primary, whose snapshot is younger than every request in
 * it. Before anyone is answered the follower has applied all that this snapshot holds.
 */
export function consistentRecords(reader: RecordReader, follower: Follower, limits: GatherLimits): ConsistentRecords {
  return gather(async (keys: readonly TokenKey[]): Promise<RecordAsOf[]> => {
    const { records, tail } = await follower.askUntilCovered(({ revision }) => reader.read(keys, revision));
    const { watermarks, generation } = follower;
    return records.map((record) => ({ record, now: tail.now, head: tail.head, watermarks, generation }));
  }, limits);
}
