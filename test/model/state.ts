import type { Guards } from './guards.ts';

/** What is searched: the fewer of each, the fewer states. What is left out does not happen. */
export interface Configuration {
  readonly guards: Guards;
  readonly tokens: readonly TokenPlan[];
  readonly revocations: readonly RevocationPlan[];
  readonly validators: readonly ValidatorPlan[];
  readonly consistencies: readonly Consistency[];
  /** The most requests that one validator has at once. */
  readonly requestsMax: number;
  /** The last tick. */
  readonly timeMax: number;
  /** Ticks, as everything that follows. */
  readonly ttl: number;
  readonly staleness: number;
  /** Null: no census is kept. */
  readonly fence: number | null;
  /** A source may bring any revision of any history, at any time, any number of times. */
  readonly feed: boolean;
  /** Upkeep forgets marks. */
  readonly forgets: boolean;
  /** `restored`: an earlier state is put back; `cut off`: another primary takes over, and nothing is lost. */
  readonly failover: 'restored' | 'cut off' | null;
  /** Connections from before a failover last: a validator that commits on the new primary may still read from the one before. */
  readonly connectionsLast: boolean;
  /** It is noted what every validator that may answer has applied. There is a census, then. */
  readonly coverage: boolean;
}

export interface TokenPlan {
  /** The app, the consent and the signing key that it is issued under, as far as they are revoked. */
  readonly under: readonly string[];
  /** It is inserted whatever has ended: no registry decides about it. */
  readonly isCredential: boolean;
  /** The token that it is derived from. */
  readonly parent: number | null;
}

/**
 * The target is 'all', what tokens are issued under, a token as `token 0`, or `shown`: nothing is revoked, but less is
 * shown of what is honoured.
 */
export interface RevocationPlan {
  readonly target: string;
  readonly reach: 'issued' | 'forever';
}

export interface ValidatorPlan {
  /** It may start at any time; else it has been up from the beginning. */
  readonly startsLater: boolean;
  /** What may happen to its clocks, once. */
  readonly clocks: 'suspended' | 'wall clock set back' | null;
}

export type Consistency = 'fully_consistent' | 'max_staleness' | 'at_least_revision';

/** The revocations that a history consists of, in order. Its length is the revision; the list stands for the hash. */
export type Head = readonly number[];

/** No search needs as many states; one that does has grown too large. */
export const statesMax = 600_000;

/** Above every sequence, later than every tick. */
export const infinite = 99;

export interface State {
  now: number;
  tokens: Token[];
  revocations: Revocation[];
  /** The database in force. */
  primary: Database;
  /** The one before it, cut off, that still answers reads. */
  former: Database | null;
  backup: Database | null;
  /** A history that was lost, which sources may still bring. */
  lost: Head;
  /** Sequence numbers that an issuer keeps. */
  kept: readonly number[];
  validators: Validator[];
}

export interface Token {
  /** A `lost` one was issued, and a restored database does not know it. */
  phase: 'unasked' | 'drawn' | 'issued' | 'failed' | 'lost';
  sequence: number;
  /** The server that it was drawn on. */
  drawnOn: number;
  expiresAt: number;
  /** The revocations of what it is issued under, or of all, that had returned when it was asked for, one bit each. */
  after: number;
}

export interface Revocation {
  /**
   * It counts as returned once it is committed, and as called when it locks: the earliest and the latest that it can be,
   * so that the promises are the strictest: what was refused once stays refused, too. One that is `unanswered` is committed
   * on the standby that took over, and its caller does not know.
   */
  phase: 'uncalled' | 'locked' | 'read' | 'unanswered' | 'returned' | 'failed' | 'lost';
  ceiling: number;
  /** The tokens that had been issued when it was called, one bit each. */
  issuedBefore: number;
  /** What the target's mark is to become. */
  mark: Mark | null;
  returnedAt: number;
  /** The server that it returned from. */
  server: number;
}

export interface Mark {
  readonly ceiling: number;
  readonly coversUntil: number;
}

export interface Database {
  server: number;
  sequence: number;
  /** The rows, one bit a token. */
  records: number;
  history: Head;
  /** By target. */
  marks: Readonly<Record<string, Mark>>;
  /** When it came into force. */
  since: number;
  /** From when writes are taken; null: until its first beat, none. */
  writesFrom: number | null;
  /** The rows of the validators, in their order; null: it counts no more, or is not there. */
  census: readonly (CensusRow | null)[];
  /** The last revision that was found to be complete. */
  covered: number;
}

/** What a validator has committed of itself. */
export interface CensusRow {
  /** The latest revision that it had applied when it sent this. */
  readonly applied: number;
  /** The last tick at which that lets it answer. */
  readonly until: number;
}

/** Ticks on both clocks of a validator. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

/** Ceilings by target. */
export type Watermarks = Readonly<Record<string, number>>;

export interface Validator {
  isUp: boolean;
  side: 'primary' | 'former';
  wallBehind: number;
  monotonicBehind: number;

  // Follower
  server: number | null;
  applied: Head;
  watermarks: Watermarks;
  provenAt: Instant | null;
  databaseTime: { readonly now: number; readonly at: Instant } | null;
  load: { readonly sentAt: Instant; readonly head: Head; readonly watermarks: Watermarks } | null;

  // Presence
  /** When the last commit was sent that proves anything: Presence's own `provenAt`. */
  presenceProvenAt: Instant | null;
  /** When the last commit was sent, whatever it proves; null: it counts no more, or nobody looks at the census. */
  committedAt: Instant | null;
  /** The server that took the last commit. */
  inForce: number | null;

  /** TokenCache: the records that are remembered, one bit each, and those that are remembered not to be. */
  cached: number;
  cachedAbsent: number;

  /** Requests for the next batch, and for the next small question. */
  waiting: readonly Request[];
  waitingForRefresh: readonly Request[];
  exchanges: Exchange[];

  /** Null: not remembered. */
  release: Release | null;
  /** The latest revision that may have changed what is shown. */
  releasedAt: number;
}

/** What is shown, as it was read. */
export interface Release {
  readonly revision: number;
  /** Whether it is the lesser. */
  readonly isNarrow: boolean;
  readonly isOfThisGeneration: boolean;
}

export interface Request {
  readonly token: number;
  readonly consistency: Consistency;
  /** The one named in at_least_revision. */
  readonly revision: Head;
  /** The promise that the answer `active` breaks; null: none. */
  readonly activeBreaks: Invariant | null;
  /** Whether no more than the lesser may be shown. */
  readonly isNarrowed: boolean;
  /** What the answer will show; null: not known yet, or there is nothing to change. */
  readonly release: Release | null;
  /** Whether the token's issue had returned. */
  readonly isIssued: boolean;
  /** The server in force then. */
  readonly server: number;
}

/** A question to the database and what came of it: askUntilCovered. */
export interface Exchange {
  kind: 'read' | 'refresh' | 'beat' | 'release';
  requests: readonly Request[];
  /** When a beat was sent first. */
  begunAt: Instant | null;
  /** Null while the history is loaded anew. */
  question: Question | null;
  /** The records alone, where they are not read in one statement with the tail. */
  records: number | null;
  answer: Answer | null;
  /** What a beat has written and nobody sees yet. */
  row: CensusRow | null;
  /** Once it has been absorbed. */
  read: RecordsAsOf | null;
}

export interface Question {
  readonly sentAt: Instant;
  readonly revision: number;
  /** Whether the generation is still the one that it was sent in; which one it was does not matter. */
  readonly isOfThisGeneration: boolean;
}

export interface Answer {
  readonly records: number;
  readonly head: Head;
  readonly now: number;
  readonly server: number;
}

export interface RecordsAsOf {
  readonly records: number;
  /** Of the question. */
  readonly revision: number;
  readonly now: number;
  readonly isOfThisGeneration: boolean;
  /** Null: those that the follower has. */
  readonly watermarks: Watermarks | null;
}

/** The promises, by their numbers. */
export const invariants = {
  1: 'a token that was issued and that nothing revokes is honoured',
  2: 'fully consistent: what a revocation that has returned covers is refused',
  3: 'max_staleness: what a revocation that returned so long ago covers is refused',
  4: 'at_least_revision: what is revoked up to the revision is refused',
  5: 'a token asked for after RevokeTokens returned is not touched by it',
  6: "nothing is honoured after its expiry by the database's clock",
  7: 'after a promotion no answer contradicts what the new primary committed',
  8: 'no answer shows more than what is shown since a change that counts for it',
  9: 'no token but a credential is issued under what had ended when it was asked for',
  10: 'however old an answer may be: what is covered by a revocation that was told to be complete is refused',
} as const;

export type Invariant = keyof typeof invariants;

/** A state that may be changed without changing the one that it was copied from. */
export const copyOf = (state: State): State => ({
  ...state,
  tokens: state.tokens.map((token) => ({ ...token })),
  revocations: state.revocations.map((revocation) => ({ ...revocation })),
  primary: { ...state.primary },
  former: state.former && { ...state.former },
  validators: state.validators.map((validator) => ({
    ...validator,
    exchanges: validator.exchanges.map((exchange) => ({ ...exchange })),
  })),
});

export const bit = (index: number): number => 1 << index;
export const holds = (bits: number, index: number): boolean => (bits & bit(index)) !== 0;
