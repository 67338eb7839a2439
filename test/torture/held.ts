import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { IssueTokenResponse } from '@touchstone/contracts';
import type { TokenMethodName } from '@touchstone/core';
import type { App, Arena, Server } from './arena.ts';
import type { Interval, Issued } from './history.ts';
import { type Presented, presentedOf, signingKeyIdOf } from './presented.ts';
import type { Random } from './random.ts';
import { noteIssued, noteRevision, type Recorded } from './recorded.ts';
import { type Uses, unused } from './uses.ts';

/** Whom a race is about. */
export interface Holder {
  readonly app: App;
  readonly userId: string;
  /** Null: there is none. */
  readonly consentId: string | null;
}

/** A token, and the ways of presenting it. */
export interface Held {
  readonly issued: Issued;
  readonly presented: readonly Presented[];
  /** Whom it is for. */
  readonly server: Server;
  /** From how many it was derived. */
  readonly depth: number;
  /** Whether it may end by itself while it is raced. */
  readonly isBrief: boolean;
  /** From then on it is refused: milliseconds since 1970, by the database's clock. */
  readonly expiresAt: number;
}

/** A refresh token. */
export interface Renewal {
  readonly issued: Issued;
  readonly token: string;
  /** Of the tokens that it renews. */
  readonly method: TokenMethodName;
  readonly uses: Uses;
}

/** What a race has by now. */
export interface Hoard {
  readonly tokens: Held[];
  readonly renewals: Renewal[];
}

/** What a race is run with. */
export interface Race {
  readonly arena: Arena;
  readonly holder: Holder;
  readonly hoard: Hoard;
  readonly random: Random;
  readonly recorded: Recorded;
}

/** What any call that makes a token returns. */
type Answer = Pick<IssueTokenResponse, 'token' | 'tokenId' | 'revision' | 'expiresAt'> & {
  readonly refreshToken?: string;
};

/** How a token was made. */
interface Made extends Pick<Held, 'server' | 'depth' | 'isBrief'>, Pick<Issued, 'parentId' | 'grantedAt'> {
  readonly interval: Interval;
  readonly method: TokenMethodName;
}

/** Takes note of a token that a call has returned, and of the refresh token beside it. */
export function keep(
  { arena: { tenantId }, holder, hoard, random, recorded }: Race,
  { token, tokenId, refreshToken, revision, expiresAt }: Answer,
  { interval, method, parentId, grantedAt, ...made }: Made,
): void {
  const { app, userId, consentId } = holder;
  const { appId } = app;
  const { audience } = made.server;
  const about = { tenantId, appId, userId, audience, grantedAt, consentId };
  const known = { type: 'issued', ...interval, ...about, sequence: null } as const;
  // No answer tells its id.
  const refreshId = `refresh token of ${tokenId}`;
  const root = parentId ?? (refreshToken ? refreshId : null);
  const issued: Issued = { ...known, tokenId, method, parentId: root, signingKeyId: signingKeyIdOf(token, { method }) };
  noteIssued(recorded, issued);
  noteRevision(recorded, revision, interval.start);
  const ends = expiresAt ? timestampMs(expiresAt) : Number.NaN;
  hoard.tokens.push({ issued, presented: presentedOf(token, issued, random), expiresAt: ends, ...made });
  if (!refreshToken) return;
  const renewal: Issued = { ...known, tokenId: refreshId, method: 'refresh_token', parentId, signingKeyId: null };
  recorded.events.push(renewal);
  hoard.renewals.push({ issued: renewal, token: refreshToken, method, uses: unused() });
}
