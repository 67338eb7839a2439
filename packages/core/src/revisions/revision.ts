import type { TokenClass } from '../tokens/token-record.ts';

/** What a cut can be made at. */
export type CutKind =
  | 'token'
  | 'user'
  | 'app'
  | 'app_user'
  | 'tenant'
  | 'all'
  | 'resource_server'
  | 'consent'
  | 'signing_key';

/** Whose tokens are cut: the key is a token id, a user handle, an app id, `app:handle`, a tenant id, '', an audience, or the id of a consent or a signing key. */
export interface CutTarget {
  readonly kind: CutKind;
  readonly key: string;
}

export const appUserKey = (appId: string, userHandle: string): string => `${appId}:${userHandle}`;

/** Tokens of one class and target with a sequence up to the ceiling are revoked. */
export interface Cut extends CutTarget {
  readonly revocationId: string;
  readonly tokenClass: TokenClass;
  /** Null: no ceiling; the target is dead for good. */
  readonly ceiling: number | null;
  /** The id of a token that the cut does not touch. */
  readonly sparedTokenId: string | null;
  /** Milliseconds since 1970 from which on nothing that it covers can be alive; null: never. */
  readonly coversUntil: number | null;
}

/** What one revision says. */
export interface RevisionContent {
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number;
  readonly cuts: readonly Cut[];
  /** The resource servers of which it has changed what they are shown. */
  readonly releases?: readonly string[];
  /** The tenants of which it has changed what their policies hold against tokens that are there. */
  readonly policies?: readonly string[];
}

/** What a revision says that is no cut: that something is answered otherwise from now on. */
export type Change = Pick<RevisionContent, 'releases' | 'policies'>;

/** Where a history stands. */
export interface Head {
  /** The number of the latest revision; 0 before the first. */
  readonly revision: number;
  /** Its hash, in hexadecimal digits: it stands for the whole history up to it. */
  readonly hash: string;
}

/** A revision as it is stored and published. */
export interface SealedRevision extends Head {
  readonly previousHash: string;
  /** A RevisionContent, in exactly the bytes that the hash was made over. */
  readonly content: Uint8Array;
}

export const genesis: Head = { revision: 0, hash: '0'.repeat(64) };
