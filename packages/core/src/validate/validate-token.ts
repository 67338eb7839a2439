import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { CallerNotAllowed } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Claims, TokenMethods } from '../tokens/token-method.ts';
import { idOf } from '../tokens/token-record.ts';
import type { ConsistentRecords, RecordAsOf } from './consistent-records.ts';
import { type Decision, decide, type RefusalReason } from './decide.ts';
import type { ReleaseReader } from './ports.ts';
import type { Presence } from './presence.ts';

export interface ValidateCommand {
  readonly token: string;
  readonly audience: string;
  readonly requiredScopes: readonly string[];
}

/** What the caller is told of why; `not_honoured` hides which of the reasons it was from those who may not know. */
export type ToldReason = RefusalReason | 'not_honoured';

interface AsOf {
  /** Milliseconds since 1970, by the database's clock; null where the database had no part in the answer. */
  readonly asOf: number | null;
  readonly head: Head;
}

export type Validation = AsOf &
  (
    | { readonly active: false; readonly reason: ToldReason }
    | {
        readonly active: true;
        readonly tokenId: string;
        readonly tenantId: string;
        readonly appId: string;
        readonly subject: string;
        readonly scopes: readonly string[];
        /** Milliseconds since 1970. */
        readonly expiresAt: number;
        /** Those released to the caller. */
        readonly claims: Claims;
      }
  );

export interface ValidatePorts {
  readonly methods: TokenMethods;
  readonly records: ConsistentRecords;
  readonly follower: Follower;
  readonly presence: Presence;
  readonly releases: ReleaseReader;
}

/**
 * Says whether the token may be honoured at the caller's resource server, fully consistently: every revocation that
 * returned before the call counts.
 * @throws CallerNotAllowed, Fenced, StoreUnavailable, Overloaded - and then the token must be refused.
 */
export async function validateToken(act: Act, command: ValidateCommand, ports: ValidatePorts): Promise<Validation> {
  requireKind(act.caller, 'resource_server');
  requireScope(act.caller, 'tokens:validate');
  if (command.audience !== act.caller.name) {
    throw new CallerNotAllowed('a resource server validates for its own audience', { field: 'audience' });
  }
  ports.presence.requireCurrent();
  const found = ports.methods.locate(command.token);
  if (!found) return { active: false, reason: 'malformed', asOf: null, head: ports.follower.applied };
  const { method, located } = found;
  const read = await ports.records(located.key, act.signal);
  const demand = { tokenClass: 'token', audience: command.audience, scopes: command.requiredScopes } as const;
  const decision = decide(read.record, (record) => method.open(located, record), read.watermarks, demand, read.now);
  // The fence may have run out while the database was asked.
  ports.presence.requireCurrent();
  if (!decision.active) return refused(act, decision.reason, read);
  const releases = ports.releases.releasedClaims(decision.record.audience);
  return honoured(act, decision, read, releases instanceof Promise ? await releases : releases);
}

type AsRead = Pick<RecordAsOf, 'now' | 'head'>;

function refused(act: Act, reason: RefusalReason, { now, head }: AsRead): Validation {
  return { active: false, reason: told(act, reason), asOf: now, head };
}

/** Unknown, revoked, changed and meant for somebody else look alike to those who may not know. */
function told(act: Act, reason: RefusalReason): ToldReason {
  const open = reason === 'malformed' || reason === 'expired' || reason === 'scope_missing';
  return open || act.caller.scopes.includes('tokens:explain') ? reason : 'not_honoured';
}

function honoured(
  act: Act,
  { record, opened }: Decision & { active: true },
  { now, head }: AsRead,
  releases: readonly string[],
): Validation {
  // Audiences belong to one tenant, so this can't differ; were it to, nothing crosses tenants.
  if (!actsIn(act.caller, record.tenantId) || record.appId === null)
    return refused(act, 'audience_mismatch', { now, head });
  return {
    active: true,
    tokenId: idOf(record),
    tenantId: record.tenantId,
    appId: record.appId,
    subject: opened.userId ?? record.appId,
    scopes: opened.scopes,
    expiresAt: opened.expiresAt,
    claims: released(opened.claims, releases),
    asOf: now,
    head,
  };
}

function released(claims: Claims, names: readonly string[]): Claims {
  const out: Record<string, Claims[string]> = {};
  for (const name of names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value !== undefined) out[name] = value;
  }
  return out;
}
