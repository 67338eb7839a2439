/** The levels at which tokens are revoked. */
export type Level = 'token' | 'user' | 'app_user' | 'app' | 'tenant' | 'all' | 'disabled_app';

/** Milliseconds of one clock: when a call was sent, and when it came back. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** A token that IssueToken returned. */
export interface Issued extends Interval {
  readonly type: 'issued';
  readonly tokenId: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
}

/** What a revocation is about; empty where the level does not look at it. */
export interface Target {
  readonly level: Level;
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  readonly tokenId: string;
}

/** A revocation. One that failed may have happened all the same, at any time after its start. */
export interface Revoked extends Interval {
  readonly type: 'revoked';
  readonly target: Target;
  /** Its number; null where the call failed. */
  readonly revision: number | null;
}

/** How fresh an answer had to be. */
export type Freshness =
  | { readonly mode: 'full' }
  | { readonly mode: 'bounded'; readonly milliseconds: number }
  | { readonly mode: 'revision'; readonly revision: number };

/** What a validator answered. */
export interface Answered extends Interval {
  readonly type: 'answered';
  readonly tokenId: string;
  readonly validator: string;
  readonly freshness: Freshness;
  readonly active: boolean;
}

/** The database was put back to what it was at its backup. It had stopped by the end of each, and started again after. */
export interface Restored {
  readonly backup: Interval;
  readonly putBack: Interval;
}

/** A validator whose last commit was sent longer ago answers nothing. */
export const fenceMilliseconds = 5_000;

export type Event = Issued | Revoked | Answered;

/** Whether nothing of the target lives afterwards, however late it was issued. */
export const isForGood = ({ level }: Target): boolean => level === 'token' || level === 'disabled_app';
