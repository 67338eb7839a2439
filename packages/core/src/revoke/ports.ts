import type { Signal } from '../access/act.ts';
import type { Actor } from '../audit/audit-event.ts';
import type { RegisteredKind } from '../register/registration.ts';
import type { CutTarget, Head } from '../revisions/revision.ts';
import type { TokenKey } from '../tokens/token-key.ts';
import type { TokenClass, TokenRecord } from '../tokens/token-record.ts';

/** What can be ended for good. */
export type DisabledKind = RegisteredKind | 'consent' | 'signing_key';

/** A revocation that is wanted. */
export interface RevocationIntent {
  readonly revocationId: string;
  /** What it is about, as it was asked for. */
  readonly target: CutTarget;
  /** The target's tenant; null for all. */
  readonly tenantId: string | null;
  /** What is cut: the target's tokens, and what else belongs to it. */
  readonly cuts: readonly (CutTarget & { readonly tokenClass: TokenClass })[];
  /** `issued`: the tokens whose sequence has been drawn by now; `forever`: also all that are to come. */
  readonly reach: 'issued' | 'forever';
  /** What is disabled in the same transaction. */
  readonly disables: { readonly what: DisabledKind; readonly id: string } | null;
  readonly includeCredentials: boolean;
  readonly sparedTokenId: string | null;
  readonly reason: string;
  readonly actor: Actor;
  /** Unique for who acts. Null: repeats are told by the target. */
  readonly idempotencyKey: string | null;
}

/** A revocation as it was recorded. */
export interface Revocation {
  readonly revocationId: string;
  readonly head: Head;
  readonly target: CutTarget;
  readonly tenantId: string | null;
  /** Null: no ceiling. */
  readonly ceiling: number | null;
  readonly includeCredentials: boolean;
  readonly reason: string;
  /** The kind, the name and the credential's id of who did it. */
  readonly actor: Pick<Actor, 'kind' | 'name' | 'credentialId'>;
  /** Tells whether a request with the same key is the same; empty where there is no key. */
  readonly requestText: string;
  readonly idempotencyKey: string | null;
  /** Milliseconds since 1970, by the database's clock. */
  readonly recordedAt: number;
}

/** A token that is to be revoked, where its record allows it. */
export interface TokenRevocation {
  readonly key: TokenKey;
  /** Whose it may be: a token of another tenant is as none. */
  readonly tenantIds: readonly string[];
  /**
   * What is to be written, or null where there is nothing to revoke. It may be asked more than once, and what it says come to
   * nothing: nothing may come of it beside.
   *
   * @param record null: there is none.
   * @param now milliseconds since 1970, by the database's clock.
   * @throws what the caller is refused with.
   */
  intentOf(record: TokenRecord | null, now: number): RevocationIntent | null;
}

/** The revocation's id is null where there was no token to revoke. */
export interface TokenRevoked {
  readonly revocationId: string | null;
  readonly head: Head;
}

/** Writes revocations. */
export interface RevocationWriter {
  /**
   * Writes the revocation, its revision and its events together, or none of them; once this resolves, a fully consistent
   * validation refuses. A repeat (the same idempotency key; without one, a target that is dead for good already) does
   * nothing and returns the first one.
   * @throws IdempotencyKeyReused, StoreUnavailable, Overloaded
   */
  write(intent: RevocationIntent): Promise<Revocation>;
  /**
   * Reads the token's record, as it stands while nothing else is being revoked, and writes what that allows as `write` does.
   *
   * @param signal what is aborted before its turn has come is not begun.
   * @throws StoreUnavailable, Overloaded, Cancelled, and what `intentOf` throws.
   */
  writeToken(token: TokenRevocation, signal?: Signal): Promise<TokenRevoked>;
}

/** Reads revocations. */
export interface RevocationReader {
  /** Null where these tenants have none such; what revokes the tokens of all is the platform's own. @throws StoreUnavailable */
  find(revocationId: string, tenantIds: readonly string[]): Promise<Revocation | null>;
}

/** A validator as the census lists it. */
export interface Validator {
  readonly instanceId: string;
  /** `host:port`. */
  readonly address: string;
  readonly build: string;
  readonly appliedRevision: number;
  /** When it committed its row last, milliseconds since 1970, by the database's clock. */
  readonly beatAt: number;
  /** From then on it answers nothing, unless it has committed its row again. */
  readonly answersUntil: number;
  readonly isLive: boolean;
}

/** How far a revision has come. */
export interface Progress {
  readonly isPublished: boolean;
  /** Since when every live validator has applied it: milliseconds since 1970, by the database's clock; null: not yet. */
  readonly completeAt: number | null;
  /** Those that have not left by themselves. */
  readonly validators: readonly Validator[];
}

/** Reads the census. */
export interface CensusReader {
  /** @throws StoreUnavailable */
  progressOf(head: Head): Promise<Progress>;
}

/** The row of a validator, as it was committed once: whatever is committed again has another version. */
export interface CensusVersion {
  readonly instanceId: string;
  readonly version: string;
  /** For how many milliseconds after a commit it answers. */
  readonly fence: number;
}

/** Keeps account of what every live validator has applied. */
export interface CoverageWriter {
  /**
   * Notes the last revision that every validator has applied, but for those whose rows have lapsed and are still as they were.
   *
   * @param server the one that is to note it; null: none is.
   * @returns the server that was asked, and the validators that have not left by themselves, as of the same snapshot.
   * @throws StoreUnavailable
   */
  advance(
    server: string | null,
    lapsed: readonly CensusVersion[],
  ): Promise<{ readonly server: string; readonly validators: readonly CensusVersion[] }>;
}
