import type { TokenMethodName } from '@touchstone/core';

/** The levels at which tokens are revoked. */
export const levels = [
  'token',
  'user',
  'app_user',
  'app',
  'tenant',
  'all',
  'disabled_app',
  'disabled_server',
  'consent',
  'signing_key',
  'family',
] as const;
export type Level = (typeof levels)[number];

/** Milliseconds of one clock: when a call was sent, and when it came back. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** A token that a call returned. Narrower copies of it are the same token. */
export interface Issued extends Interval {
  readonly type: 'issued';
  readonly tokenId: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  readonly method: TokenMethodName | 'refresh_token';
  /** What it was derived from, and ends with: the token exchanged, or the first refresh token of its family; null: nothing. */
  readonly parentId: string | null;
  /** The resource server that it is for; of a refresh token: that those are for which it renews. */
  readonly audience: string;
  /** The resource server at which the app had to be granted what it allows; null: a resource server passed it on. */
  readonly grantedAt: string | null;
  /** Null: none was named. */
  readonly consentId: string | null;
  /** Null: no key signed it; empty: one of its tenant's, and which is not known. */
  readonly signingKeyId: string | null;
  /** The number that the database gave it; null: not known. */
  readonly sequence: number | null;
}

/** What a revocation is about; empty where the level does not look at it. A family goes by its first refresh token. */
export interface Target {
  /** A grant is taken from an app: nothing is issued by it any more, what was lives on. */
  readonly level: Level | 'grant';
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  readonly tokenId: string;
  readonly consentId: string;
  readonly signingKeyId: string;
  readonly audience: string;
  readonly grantedAt: string;
}

/** All that a revocation can be about of a token. */
export const targetOf = (issued: Issued): Omit<Target, 'level'> => ({
  tokenId: issued.tokenId,
  tenantId: issued.tenantId,
  appId: issued.appId,
  userId: issued.userId,
  consentId: issued.consentId ?? '',
  signingKeyId: issued.signingKeyId ?? '',
  audience: issued.audience,
  grantedAt: issued.grantedAt ?? '',
});

/** A revocation. One that failed may have happened all the same, at any time after its start: it has no end. */
export interface Revoked extends Interval {
  readonly type: 'revoked';
  readonly target: Target;
  /** Its number; infinite where that was not told; null where it is not known whether it happened. */
  readonly revision: number | null;
  /** When the call was sent that was answered: others may have been before. */
  readonly answeredFrom?: number;
}

/** How fresh an answer had to be. */
export type Freshness =
  | { readonly mode: 'full' }
  | { readonly mode: 'bounded'; readonly milliseconds: number }
  | { readonly mode: 'revision'; readonly revision: number };

/** What a validator answered; or an issuer, of which a token was to be made out of this one. */
export interface Answered extends Interval {
  readonly type: 'answered';
  readonly tokenId: string;
  /** Who answered. */
  readonly by: string;
  readonly freshness: Freshness;
  /** The revision that it says it knows of; null: it does not say. */
  readonly revision: number | null;
  readonly active: boolean;
}

/** What had returned before this instant the answer had to know: none is older than the fence. */
export function pastOf({ start, freshness }: Answered): number {
  switch (freshness.mode) {
    case 'full':
      return start;
    case 'bounded':
      return start - Math.min(freshness.milliseconds, fenceMilliseconds);
    case 'revision':
      return start - fenceMilliseconds;
  }
}

/** Somebody was told that every validator that may still answer has applied this revision, and with it all before it. */
export interface Completed extends Interval {
  readonly type: 'completed';
  readonly revision: number;
}

/** The database was put back to what it was at its backup. It had stopped by the end of each, and started again after. */
export interface Restored {
  readonly backup: Interval;
  readonly putBack: Interval;
  /** The revisions that are no more, as they were told. Where there is a Kafka its topic has them still. */
  readonly lost: ReadonlySet<string>;
}

/** A validator whose last commit was sent longer ago answers nothing. */
export const fenceMilliseconds = 5_000;

/** Milliseconds: by then every replica has asked a database that was put back, and told others that it stands where that does. */
export const lostMax = 2 * fenceMilliseconds;

export type Event = Issued | Revoked | Answered | Completed;

const levelsForGood: readonly Target['level'][] = [
  'token',
  'disabled_app',
  'disabled_server',
  'consent',
  'signing_key',
  'family',
];

/** Whether nothing of the target lives afterwards, however late it was issued. */
export const isForGood = ({ level }: Target): boolean => levelsForGood.includes(level);
