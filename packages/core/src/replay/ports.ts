import type { CutTarget, Head, SealedRevision } from '../revisions/revision.ts';
import type { RevisionName } from '../revisions/revision-text.ts';

/** A message of the topic of revisions. */
export interface Published {
  readonly offset: bigint;
  /** Null: the message is none. Whether it is a true one, only the chain can tell. */
  readonly revision: SealedRevision | null;
}

/** The topic of revisions, as it is read from one end to the other. */
export interface PublishedRevisions {
  /**
   * Reads up to the end that the topic has when it is asked, some messages at a time.
   * @param from the first offset; null: from the beginning.
   * @throws KafkaUnavailable
   */
  read(from: bigint | null): AsyncIterable<{ readonly messages: readonly Published[]; readonly end: bigint }>;
}

/** A database that was restored, before services are let at it. */
export interface RestoredHistory {
  /** Where its history stands. @throws StoreUnavailable where it was not written under our key. */
  head(): Promise<Head>;
  /** Those of these that are none of its revisions. @throws StoreUnavailable */
  strangeAmong<T extends Head>(revisions: readonly T[]): Promise<readonly T[]>;
  /** Whether it is one of its revisions. @throws StoreUnavailable */
  holds(revision: RevisionName): Promise<boolean>;
  /** Whether all tokens of the target are cut off that can have been issued by now. @throws StoreUnavailable */
  isCutOff(target: CutTarget): Promise<boolean>;
  /**
   * Appends revisions as they were, with all that their transactions did: marks, what was disabled, keys that were deleted.
   * All of it or nothing; no sequence below one of their ceilings is drawn afterwards.
   * @throws ReplayRefused where they do not continue the history, StoreUnavailable
   */
  append(revisions: readonly SealedRevision[]): Promise<void>;
}

/** What the topic holds does not simply continue what the database holds: nothing, or nothing more, was replayed. */
export class ReplayRefused extends Error {
  override readonly name = 'ReplayRefused';
  readonly code = 'replay_refused';
}
