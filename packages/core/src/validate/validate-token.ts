import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { CallerNotAllowed } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Claims, Located, TokenMethod, TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { ConsistentRecords, RecordsAsOf } from './consistent-records.ts';
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
  const begun = begin(act, command, ports);
  if ('active' in begun) return begun;
  return (await conclude(act, [begun], ports))[0] as Validation;
}

/** As `validateToken` for each, in order: an answer, or the error that it would have thrown. */
export async function validateTokens(
  act: Act,
  commands: readonly ValidateCommand[],
  ports: ValidatePorts,
): Promise<(Validation | Error)[]> {
  const begun = commands.map((command) => orError(() => begin(act, command, ports)));
  const pending = begun.filter((one) => 'located' in one);
  if (pending.length === 0) return begun as (Validation | Error)[];
  const concluded = await conclude(act, pending, ports).catch((error: Error) => pending.map(() => error));
  let next = 0;
  return begun.map((one) => ('located' in one ? (concluded[next++] as Validation | Error) : one));
}

function orError<Result>(attempt: () => Result): Result | Error {
  try {
    return attempt();
  } catch (error) {
    return error as Error;
  }
}

/** A token whose record has yet to be read. */
interface Pending {
  readonly command: ValidateCommand;
  readonly method: TokenMethod;
  readonly located: Located;
}

/** What can be said without the database, or what to ask it for. */
function begin(act: Act, command: ValidateCommand, ports: ValidatePorts): Pending | Validation {
  requireKind(act.caller, 'resource_server');
  requireScope(act.caller, 'tokens:validate');
  if (command.audience !== act.caller.name) {
    throw new CallerNotAllowed('a resource server validates for its own audience', { field: 'audience' });
  }
  ports.presence.requireCurrent();
  const found = ports.methods.locate(command.token);
  if (!found) return { active: false, reason: 'malformed', asOf: null, head: ports.follower.applied };
  return { command, method: found.method, located: found.located };
}

async function conclude(act: Act, pending: readonly Pending[], ports: ValidatePorts): Promise<Validation[]> {
  const keys = pending.map(({ located }) => located.key);
  const read = await ports.records(keys, act.signal);
  // The fence may have run out while the database was asked.
  ports.presence.requireCurrent();
  const known = ports.releases.releasedClaims(act.caller.name);
  const releases = known instanceof Promise ? await known : known;
  return pending.map((one, i) => judge(act, one, read.records[i] ?? null, read, releases));
}

function judge(
  act: Act,
  { command, method, located }: Pending,
  record: TokenRecord | null,
  read: RecordsAsOf,
  releases: readonly string[],
): Validation {
  const demand = { tokenClass: 'token', audience: command.audience, scopes: command.requiredScopes } as const;
  const decision = decide(record, (it) => method.open(located, it), read.watermarks, demand, read.now);
  return decision.active ? honoured(act, decision, read, releases) : refused(act, decision.reason, read);
}

type AsRead = Pick<RecordsAsOf, 'now' | 'head'>;

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
