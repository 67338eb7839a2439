import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { parseRevision } from '@touchstone/core';
import { type App, type Life, mayBeGone } from './arena.ts';
import type { Held } from './held.ts';
import {
  type Answered,
  type Event,
  fenceMilliseconds,
  type Interval,
  type Issued,
  lostMax,
  type Restored,
  type Revoked,
  type Target,
} from './history.ts';

/** A consent that was recorded in the run, whatever has become of it. */
export interface Consent {
  readonly tenantId: string;
  readonly app: App;
  readonly userId: string;
  readonly consentId: string;
}

/** What has happened so far. */
export interface Recorded {
  readonly events: Event[];
  /** Revocations that have not been answered: some of them have happened. */
  readonly underWay: Set<Revoked>;
  /** The last ones. */
  consents: Consent[];
  /** Tokens that the last races have left behind: they may be alive for longer than a race lasts. */
  left: Held[];
  /** Tokens whose record has not been read yet: where in the events each is, by its id. */
  readonly unread: Map<string, number>;
  /** Calls that failed as they may, by the reason. */
  readonly failures: Map<string, number>;
  /** Calls that failed as none may. */
  readonly unexpected: string[];
  /** When the database was put back. */
  readonly restores: Restored[];
  /** How often a tenant's signing key was rotated. */
  rotations: number;
  /** How many answers came several in a call. */
  batched: number;
  /** How many deadlocks the database has told of since it started. */
  deadlocks: number;
  /** The latest revision that any answer gave. */
  latest: ToldRevision;
  /** The last ones that were the latest, each in its time, of the history that there is. */
  told: ToldRevision[];
  /** All that any answer gave. */
  readonly revisions: Set<string>;
}

/** A revision, as it was told. */
export interface ToldRevision {
  readonly number: number;
  readonly text: string;
}

const noRevision: ToldRevision = { number: -1, text: '' };
const toldMax = 100;

export const nothingRecorded = (): Recorded => ({
  events: [],
  underWay: new Set(),
  consents: [],
  left: [],
  unread: new Map(),
  failures: new Map(),
  unexpected: [],
  restores: [],
  rotations: 0,
  batched: 0,
  deadlocks: 0,
  latest: noRevision,
  told: [],
  revisions: new Set(),
});

/** All that has happened, and what may have. */
export const happened = ({ events, underWay }: Recorded): Event[] => [...events, ...underWay];

/** A call that may revoke: until it is answered nobody knows. */
export async function whileUnderWay<Result>(
  { underWay }: Recorded,
  target: Target,
  call: () => Promise<Result>,
): Promise<Result> {
  const start = performance.now();
  const revoked: Revoked = { type: 'revoked', start, end: Number.POSITIVE_INFINITY, target, revision: null };
  underWay.add(revoked);
  try {
    return await call();
  } finally {
    underWay.delete(revoked);
  }
}

export function noteIssued({ events, unread }: Recorded, issued: Issued): void {
  unread.set(issued.tokenId, events.push(issued) - 1);
}

/** From now on the database tells another history. */
export function noteRestored(recorded: Recorded, restored: Restored): void {
  recorded.restores.push(restored);
  recorded.latest = noRevision;
  recorded.told = [];
}

/** Whether it was lost when the database was put back. */
export const isLost = ({ restores }: Recorded, text: string): boolean => restores.some(({ lost }) => lost.has(text));

/** Whether what a call has made may have gone when the database was put back. */
export const mayBeLost = ({ restores }: Recorded, { start, end }: Interval): boolean =>
  restores.some(({ backup, putBack }) => end >= backup.start && start <= putBack.end);

/** Whether an answer may rest on what was lost: who stands where that began takes it from the topic, until it asks the database. */
export const mayRestOnLost = ({ restores }: Recorded, { start, freshness }: Pick<Answered, 'start' | 'freshness'>) =>
  restores.some(({ putBack }) => start <= putBack.end + (freshness.mode === 'full' ? 0 : lostMax));

/**
 * @param start of the call that was answered with it.
 * @returns its number; null where it counts for nothing.
 */
export function noteRevision(recorded: Recorded, text: string, start: number): number | null {
  if (text !== '') recorded.revisions.add(text);
  if (isLost(recorded, text)) return null;
  const number = parseRevision(text)?.revision ?? null;
  // One that was asked earlier may not have met the database that there is now.
  const isOfNow = recorded.restores.every(({ putBack }) => start > putBack.end + fenceMilliseconds);
  if (isOfNow && number !== null && number > recorded.latest.number) {
    recorded.latest = { number, text };
    recorded.told = [...recorded.told.slice(1 - toldMax), recorded.latest];
  }
  return number;
}

/** Somebody found out, of the token itself, whether it is honoured. */
export function noteFound(
  { events }: Recorded,
  found: Pick<Answered, 'start' | 'end' | 'tokenId' | 'by' | 'active'>,
): void {
  events.push({ type: 'answered', ...found, freshness: { mode: 'full' }, revision: null });
}

const excused = [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Aborted];

/** What came of a call. */
export interface Outcome<Answer> {
  /** Null where it failed. */
  readonly answer: Answer | null;
  /** Why; empty where that is not told. */
  readonly reason: string;
  /** Whether it may have done its work all the same. */
  readonly isUnknown: boolean;
}

/**
 * A failure is noted, and whether it may be.
 * @param life of its caller, or of the app that it is for.
 */
export async function outcomeOf<Answer>(
  recorded: Recorded,
  what: string,
  call: () => Promise<Answer>,
  life?: Life,
): Promise<Outcome<Answer>> {
  const start = performance.now();
  try {
    return { answer: await call(), reason: '', isUnknown: false };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const reason = error.findDetails(ErrorInfoSchema)[0]?.reason ?? '';
    return failureOf(recorded, what, { start, code: error.code, reason, message: error.rawMessage }, life);
  }
}

/** Why a call failed, or one of several requests in it. */
export interface Failure {
  /** Of the call. */
  readonly start: number;
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
}

/**
 * What calls are refused with that race with revocations: an app that has been disabled, a consent that has been withdrawn, a
 * token that went with its tenant's, one key more than a tenant may have. All are answers, not faults.
 */
const answers: Readonly<Record<string, readonly string[]>> = {
  IssueToken: ['DISABLED', 'CONSENT_ENDED', 'TOKEN_NOT_HONOURED'],
  ExchangeToken: ['DISABLED', 'CONSENT_ENDED', 'TOKEN_NOT_HONOURED'],
  RefreshToken: ['DISABLED', 'CONSENT_ENDED', 'TOKEN_NOT_HONOURED', 'REFRESH_TOKEN_REUSED'],
  RotateSigningKey: ['TOO_MANY_SIGNING_KEYS'],
};
/** Of who may be gone, or what may have been taken from it. */
const endings: readonly Code[] = [Code.Unauthenticated, Code.PermissionDenied];

/** As `outcomeOf` what failed. */
export function failureOf(
  recorded: Recorded,
  what: string,
  { start, code, reason, message }: Failure,
  life?: Life,
): Outcome<never> {
  const said = `${what}: ${Code[code]} ${reason}`;
  recorded.failures.set(said, (recorded.failures.get(said) ?? 0) + 1);
  const mayEnd = life !== undefined && mayBeGone(life, recorded.restores);
  // What was made may have been lost when the database was put back.
  const mayBeLost = recorded.restores.length > 0 && code === Code.NotFound;
  const isAnswer =
    reason === 'REVISION_UNKNOWN'
      ? recorded.restores.some(({ putBack }) => start < putBack.end)
      : answers[what]?.includes(reason) || mayBeLost || (mayEnd && endings.includes(code));
  const isUnknown = excused.includes(code);
  if (!isUnknown && !isAnswer) recorded.unexpected.push(`${said} ${message}`);
  return { answer: null, reason, isUnknown };
}

/** Null where the call failed; whether it may have is noted. */
export const attempt = async <Answer>(
  recorded: Recorded,
  what: string,
  call: () => Promise<Answer>,
): Promise<Answer | null> => (await outcomeOf(recorded, what, call)).answer;
