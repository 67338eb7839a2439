import type { AuditEvent } from '../audit/audit-event.ts';
import { IdempotencyKeyReused, StoreUnavailable } from '../errors.ts';
import { platformTtlMax } from '../register/registration.ts';
import type { Chain } from '../revisions/chain.ts';
import type { Change, Cut, CutTarget, Head, RevisionContent, SealedRevision } from '../revisions/revision.ts';
import { type Mark, raise } from '../revisions/watermarks.ts';
import { parseTokenId, partitionEnd } from '../tokens/token-key.ts';
import type { TokenClass } from '../tokens/token-record.ts';
import type { Revocation, RevocationIntent } from './ports.ts';

/** What stands in the database, read after the lock on the head was had. */
export interface LockedHistory {
  readonly head: Head;
  readonly digest: string;
  /** Over head and digest: without it somebody else's digest would be sealed with ours. */
  readonly mac: string;
  /** The highest sequence drawn so far; 0 before the first. */
  readonly lastSequence: number;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
  /** The last partition there is; null: none. */
  readonly lastPartition: number | null;
  /** The marks of all targets that the intents cut. */
  readonly marks: readonly Mark[];
  /** Earlier revocations with an intent's idempotency key, and those of targets that are dead for good. */
  readonly earlier: readonly Revocation[];
}

/** What is to be written, all of it in the transaction that holds the lock. */
export interface ComposedRevision {
  /** One an intent, in order: new, earlier, or the failure of that one. */
  readonly outcomes: readonly (Revocation | Error)[];
  /** Null where nothing is new. */
  readonly write: {
    readonly revision: SealedRevision;
    /** What the revision says. */
    readonly content: RevisionContent;
    readonly digest: string;
    readonly mac: string;
    readonly revocations: readonly Revocation[];
    readonly intents: readonly RevocationIntent[];
    readonly marks: readonly Mark[];
    /** Whether there were none of their targets before. */
    readonly areNew: boolean;
    readonly events: readonly AuditEvent[];
  } | null;
}

/** What tells one target from another. */
export const targetText = ({ kind, key }: CutTarget, tokenClass: TokenClass): string => `${tokenClass} ${kind} ${key}`;

/** What tells one request from another under the same idempotency key. */
const requestTextOf = (intent: RevocationIntent): string =>
  JSON.stringify([intent.target.kind, intent.target.key, intent.includeCredentials, intent.reason]);

/** Puts intents into one revision: the ceiling of each is the last sequence drawn before the lock was had. */
export function composeRevision(
  locked: LockedHistory,
  intents: readonly RevocationIntent[],
  chain: Chain,
): ComposedRevision {
  requireOurs(locked, chain);
  const firstOf = new Map<string, RevocationIntent>();
  const plans = intents.map((intent) => {
    const earlier = earlierOf(intent, locked.earlier);
    if (earlier) return earlier;
    const wish = wishTextOf(intent);
    const first = firstOf.get(wish) ?? intent;
    firstOf.set(wish, first);
    const isSame = first === intent || requestTextOf(first) === requestTextOf(intent);
    return isSame ? first : new IdempotencyKeyReused();
  });
  const fresh = withoutEnded([...firstOf.values()], locked.marks);
  if (fresh.length === 0) return { outcomes: plans as (Revocation | Error)[], write: null };

  const cuts = fresh.flatMap((intent) => cutsOf(intent, locked));
  const content = { recordedAt: locked.now, cuts };
  const revision = chain.next(locked.head, content);
  const revocations = fresh.map((intent) => revocationOf(intent, revision, locked));
  const written = new Map(revocations.map((one) => [one.revocationId, one]));
  const { marks, areNew, digest } = raiseAll(locked, revision, cuts, chain);
  const outcomes = plans.map((plan) =>
    plan instanceof Error ? plan : (written.get(plan.revocationId) ?? (plan as Revocation)),
  );
  const mac = chain.sealHistory(revision, digest);
  const events = fresh.flatMap((intent) => eventsOf(intent, revision.revision));
  return {
    outcomes,
    write: { revision, content, digest, mac, revocations, intents: fresh, marks, areNew, events },
  };
}

/** The revision that tells that something is answered otherwise from now on. */
export function composeChange(
  locked: Pick<LockedHistory, 'head' | 'digest' | 'mac' | 'now'>,
  change: Change,
  chain: Chain,
): Pick<NonNullable<ComposedRevision['write']>, 'revision' | 'content' | 'digest' | 'mac'> {
  requireOurs(locked, chain);
  const content = { recordedAt: locked.now, cuts: [], ...change };
  const revision = chain.next(locked.head, content);
  const digest = chain.digestAfter(locked, revision, []);
  return { revision, content, digest, mac: chain.sealHistory(revision, digest) };
}

/** @throws StoreUnavailable */
export function requireOurs({ head, digest, mac }: Pick<LockedHistory, 'head' | 'digest' | 'mac'>, chain: Chain): void {
  if (chain.sealHistory(head, digest) !== mac) {
    throw new StoreUnavailable(new Error('the history in the database was not written under this key'));
  }
}

function earlierOf(intent: RevocationIntent, earlier: readonly Revocation[]): Revocation | Error | undefined {
  const { idempotencyKey, actor, target, tenantId } = intent;
  if (idempotencyKey === null) {
    return earlier.find(
      (one) => one.ceiling === null && one.target.kind === target.kind && one.target.key === target.key,
    );
  }
  // Names are unique within a tenant only: what another tenant's caller of the same name did is none of this one's.
  const same = earlier.find(
    (one) =>
      one.idempotencyKey === idempotencyKey &&
      one.tenantId === tenantId &&
      one.actor.kind === actor.kind &&
      one.actor.name === actor.name,
  );
  return same && same.requestText !== requestTextOf(intent) ? new IdempotencyKeyReused() : same;
}

/** The same for two intents of a batch of which one repeats the other, or has the key of the other. */
const wishTextOf = (intent: RevocationIntent): string => {
  const { idempotencyKey, tenantId, actor } = intent;
  const keyed = [tenantId, idempotencyKey, actor.kind, actor.name];
  return JSON.stringify(idempotencyKey === null ? [tenantId, requestTextOf(intent)] : keyed);
};

/** The targets that marks say are dead for good, as `endedText` tells them apart. */
export const endedBy = (marks: readonly Mark[]): Set<string> =>
  new Set(marks.filter(({ ceiling }) => ceiling === null).map(endedText));

export const endedText = ({ kind, key }: CutTarget): string => `${kind} ${key}`;

/** What has ended, by an earlier one or by one before it, ends no more. */
function withoutEnded(intents: readonly RevocationIntent[], marks: readonly Mark[]): RevocationIntent[] {
  const ended = endedBy(marks);
  return intents.map((intent) => {
    if (!intent.disables) return intent;
    const target = endedText(intent.target);
    if (ended.has(target)) return { ...intent, disables: null };
    ended.add(target);
    return intent;
  });
}

function cutsOf(intent: RevocationIntent, { lastSequence, now, lastPartition }: LockedHistory): Cut[] {
  const { revocationId, sparedTokenId, reach } = intent;
  const ceiling = reach === 'forever' ? null : lastSequence;
  // The clock may have been another when they were issued: but beyond the last partition none has been.
  const longest = Math.max(now + platformTtlMax * 1_000, partitionEnd(lastPartition ?? 0));
  const alive = reach === 'forever' ? null : longest;
  const endOf = (key: string): number | null => {
    const token = parseTokenId(key);
    return token ? partitionEnd(token.partition) : null;
  };
  return intent.cuts.map(({ kind, key, tokenClass }) => ({
    revocationId,
    kind,
    key,
    tokenClass,
    ceiling,
    sparedTokenId: tokenClass === 'credential' ? sparedTokenId : null,
    coversUntil: kind === 'token' ? endOf(key) : alive,
  }));
}

function revocationOf(intent: RevocationIntent, revision: SealedRevision, locked: LockedHistory): Revocation {
  const { kind, name, credentialId } = intent.actor;
  return {
    revocationId: intent.revocationId,
    head: { revision: revision.revision, hash: revision.hash },
    target: intent.target,
    tenantId: intent.tenantId,
    ceiling: intent.reach === 'forever' ? null : locked.lastSequence,
    includeCredentials: intent.includeCredentials,
    reason: intent.reason,
    actor: { kind, name, credentialId },
    requestText: intent.idempotencyKey === null ? '' : requestTextOf(intent),
    idempotencyKey: intent.idempotencyKey,
    recordedAt: locked.now,
  };
}

/** The marks that cuts raise, whether all of them are the first of their targets, and the digest at the next head. */
export function raiseAll(
  locked: Pick<LockedHistory, 'head' | 'digest' | 'marks'>,
  next: Head,
  cuts: readonly Cut[],
  chain: Chain,
): { marks: readonly Mark[]; areNew: boolean; digest: string } {
  const before = new Map(locked.marks.map((mark) => [targetText(mark, mark.tokenClass), mark]));
  const after = new Map<string, Mark>();
  for (const cut of cuts) {
    const target = targetText(cut, cut.tokenClass);
    after.set(target, raise(after.get(target) ?? before.get(target), cut));
  }
  const replaced = [...after].map(([target, mark]) => [before.get(target), mark] as const);
  const areNew = replaced.every(([mark]) => mark === undefined);
  return { marks: [...after.values()], areNew, digest: chain.digestAfter(locked, next, replaced) };
}

function eventsOf(intent: RevocationIntent, revision: number): AuditEvent[] {
  const { tenantId, actor, revocationId, target, reason, includeCredentials, disables } = intent;
  const revoked: AuditEvent = {
    tenantId,
    actor,
    act: {
      type: 'tokens_revoked',
      revocationId,
      targetKind: target.kind,
      targetKey: target.key,
      revision,
      reason,
      includeCredentials,
    },
  };
  if (!disables) return [revoked];
  const { what, id } = disables;
  return [{ tenantId, actor, act: { type: 'registry_changed', what, id, change: 'disabled', reason } }, revoked];
}
