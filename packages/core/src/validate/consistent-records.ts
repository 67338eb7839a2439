import type { Signal } from '../access/act.ts';
import { type GatherLimits, gather } from '../gather.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Watermarks } from '../revisions/watermarks.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { RecordReader, WantedRecord } from './ports.ts';

/** Records as of one snapshot, with all revisions up to that snapshot applied to the follower's watermarks. */
export interface RecordsAsOf {
  /** One for each that is wanted, in order; null where there is no such record. */
  readonly records: readonly (TokenRecord | null)[];
  /** The database's clock at the snapshot, milliseconds since 1970. */
  readonly now: number;
  readonly head: Head;
  /** What the history of that snapshot revokes, and what comes after in the same history. */
  readonly watermarks: Watermarks;
  /** Of which the records are: the follower's own may be another by now. */
  readonly generation: number;
}

/** @throws StoreUnavailable, Overloaded */
export type ConsistentRecords = (wanted: readonly WantedRecord[], signal?: Signal) => Promise<RecordsAsOf>;

/**
 * Fully consistent reads: gathered into one statement on the primary, whose snapshot is younger than every request in
 * it. Before anyone is answered the follower has applied all that this snapshot holds.
 */
export function consistentRecords(reader: RecordReader, follower: Follower, limits: GatherLimits): ConsistentRecords {
  async function readAll(requests: readonly (readonly WantedRecord[])[]): Promise<RecordsAsOf[]> {
    const wanted = requests.flat();
    const read = await follower.askUntilCovered(({ revision }) => reader.read(wanted, revision));
    const { records, tail, generation } = read;
    const { watermarks } = follower;
    const { now, head } = tail;
    let from = 0;
    return requests.map(({ length }) => {
      const mine = records.slice(from, from + length);
      from += length;
      return { records: mine, now, head, watermarks, generation };
    });
  }
  // Who asks for much keeps nobody else waiting; nor does who makes itself known.
  const keyOf = ([first]: readonly WantedRecord[]) => first?.tenantIds?.join(' ') ?? '';
  return gather(readAll, limits, { keyOf, sizeOf: (wanted) => wanted.length });
}
