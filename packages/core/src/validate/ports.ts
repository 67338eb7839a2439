import type { Signal } from '../access/act.ts';
import type { Awaitable } from '../awaitable.ts';
import type { Holds } from '../policy/holds.ts';
import type { Tail } from '../revisions/ports.ts';
import type { Head } from '../revisions/revision.ts';
import type { TokenKey } from '../tokens/token-key.ts';
import type { TokenRecord } from '../tokens/token-record.ts';

/** A record that is wanted. */
export interface WantedRecord {
  readonly key: TokenKey;
  /** Whose: a record of another tenant is as none. Null: anybody's, if it is a credential, for that tells whose it is. */
  readonly tenantIds: readonly string[] | null;
}

/** Whether the record is one that is wanted. */
export const isFor = ({ tenantIds }: WantedRecord, { tenantId, tokenClass }: TokenRecord): boolean =>
  tenantIds === null ? tokenClass === 'credential' : tenantIds.includes(tenantId);

/** What one statement on the primary said, from one snapshot. */
export interface RecordsRead {
  /** One for each that is wanted, in order; null where there is no such record. */
  readonly records: readonly (TokenRecord | null)[];
  readonly tail: Tail;
}

/** Reads token records. */
export interface RecordReader {
  /**
   * @param revision the tail is what follows it.
   * @throws StoreUnavailable
   */
  read(wanted: readonly WantedRecord[], revision: number): Promise<RecordsRead>;
}

/** What a resource server is shown, and of which tokens. As long as it is remembered, the same object. */
export interface Release {
  /** The names of the claims: none where the resource server is not known. */
  readonly claims: readonly string[];
  /** In whose terms it is told who the user is; null: by the user's id; empty: nobody's, the resource server is not known. */
  readonly pairwiseSector: string | null;
  /** What its tenant's policy holds against tokens that are there; null: nothing. */
  readonly holds: Holds | null;
  /** How old what an answer rests on may be: milliseconds. */
  readonly stalenessMax: number;
  /** The revision that it was read at. */
  readonly revision: number;
}

/** Reads what resource servers are shown. */
export interface ReleaseReader {
  /**
   * At once where it has been read before, in the same history, at this revision or later.
   * @param tenantId the resource server's: of another's nothing is shown.
   * @param generation the follower's.
   * @throws StoreUnavailable
   */
  releaseOf(tenantId: string, audience: string, revision: number, generation: number): Awaitable<Release>;
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

/** A DPoP proof (RFC 9449) as it was presented, and the request that it came with. */
export interface DpopProof {
  readonly jwt: string;
  readonly method: string;
  readonly uri: string;
}

/** What a DPoP proof turned out to be: one that its key has signed, for this request and this token. */
export interface VerifiedProof {
  /** The key's JWK SHA-256 thumbprint (RFC 7638), in base64url. */
  readonly key: string;
  /** What no two proofs of a key have in common. */
  readonly jti: string;
  /** Milliseconds since 1970, by its maker's clock. */
  readonly issuedAt: number;
}

/** Verifies DPoP proofs, without I/O. */
export interface ProofVerifier {
  /**
   * By all that RFC 9449 section 4.3 asks for but two: whether the proof is fresh, and whether its key is the right one.
   * Null where it proves nothing.
   */
  verify(proof: DpopProof, token: string): Promise<VerifiedProof | null>;
}

/** A proof that is to be taken. */
export interface TakenProof {
  /** SHA-256 of what no other proof has, in hexadecimal digits. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
}

/** Sees to it that a proof is good once. */
export interface ProofTaker {
  /**
   * True for the first who takes the proof, on any replica, no further than the window from when it was issued, by the
   * database's clock. Once this resolves it stays taken, also after a crash, for as long as it would be fresh.
   * @throws StoreUnavailable, Overloaded - and then it may have been taken.
   */
  take(proof: TakenProof, signal?: Signal): Promise<boolean>;
}
