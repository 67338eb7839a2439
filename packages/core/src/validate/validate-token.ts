import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { CallerNotAllowed } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Claims, Located, TokenMethod, TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import { becomeFreshEnough, type Consistency, isFreshEnough } from './consistency.ts';
import type { ConsistentRecords, RecordsAsOf } from './consistent-records.ts';
import { type Decision, type Demand, decide, type RefusalReason } from './decide.ts';
import type { ReleaseReader } from './ports.ts';
import type { Presence } from './presence.ts';
import type { TokenCache } from './token-cache.ts';

export interface ValidateCommand {
  readonly token: string;
  readonly audience: string;
  readonly requiredScopes: readonly string[];
  readonly consistency: Consistency;
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
  readonly cache: TokenCache;
  readonly follower: Follower;
  readonly presence: Presence;
  readonly releases: ReleaseReader;
}

/**
 * Says whether the token may be honoured at the caller's resource server, as freshly as the command demands.
 * @throws CallerNotAllowed, RevisionUnknown, Fenced, StoreUnavailable, Overloaded - and then the token must be refused.
 */
export async function validateToken(act: Act, command: ValidateCommand, ports: ValidatePorts): Promise<Validation> {
  const [outcome] = await validateTokens(act, [command], ports);
  if (outcome instanceof Error) throw outcome;
  return outcome as Validation;
}

/**
 * As `validateToken` for each, in order: an answer, or the error that it would have thrown.
 * @throws CallerNotAllowed, StoreUnavailable, where nobody would get an answer.
 */
export async function validateTokens(
  act: Act,
  commands: readonly ValidateCommand[],
  ports: ValidatePorts,
): Promise<(Validation | Error)[]> {
  requireKind(act.caller, 'resource_server');
  requireScope(act.caller, 'tokens:validate');
  const known = ports.releases.releasedClaims(act.caller.name);
  const call: Call = { act, ports, releases: known instanceof Promise ? await known : known };
  const begun = commands.map((command) => orError(() => begin(call, command)));
  const settled = begun.some((one) => one instanceof Promise) ? await Promise.all(begun.map(orErrorLater)) : begun;
  const unread = settled.filter((one) => 'located' in one);
  if (unread.length === 0) return settled as (Validation | Error)[];
  const read = await readAll(call, unread).catch((error: Error) => unread.map(() => error));
  let next = 0;
  return settled.map((one) => ('located' in one ? read[next++] : one) as Validation | Error);
}

/** What the commands of one call share. */
interface Call {
  readonly act: Act;
  readonly ports: ValidatePorts;
  /** The names of the claims that the caller may see. */
  readonly releases: readonly string[];
}

/** A command that the database must be asked about. */
interface Unread {
  readonly command: ValidateCommand;
  readonly method: TokenMethod;
  readonly located: Located;
}

/** Answers from what is known here, or says what to ask the database for. */
function begin(call: Call, command: ValidateCommand): Validation | Unread | Promise<Validation | Unread> {
  const { act, ports } = call;
  if (command.audience !== act.caller.name) {
    throw new CallerNotAllowed('a resource server validates for its own audience', { field: 'audience' });
  }
  ports.presence.requireCurrent();
  const { consistency } = command;
  if (consistency.kind === 'fully_consistent') return locate(ports, command);
  if (isFreshEnough(consistency, ports.follower)) return recall(call, command) ?? locate(ports, command);
  // Reading its record tells as much as asking how old the rest is.
  if (consistency.kind === 'max_staleness' && !ports.cache.get(command.token)) return locate(ports, command);
  return becomeFreshEnough(consistency, ports.follower).then(() => {
    ports.presence.requireCurrent();
    return recall(call, command) ?? locate(ports, command);
  });
}

/** Null where the token is not remembered. */
function recall(call: Call, command: ValidateCommand): Validation | null {
  const { cache, follower } = call.ports;
  const known = cache.get(command.token);
  if (!known) return null;
  const { databaseNow, applied, age } = follower;
  const decision = decide(known.record, () => known.opened, follower.watermarks, demandOf(command), databaseNow);
  return answer(call, decision, { now: Math.floor(databaseNow - age), head: applied });
}

function locate({ methods, follower }: ValidatePorts, command: ValidateCommand): Validation | Unread {
  const found = methods.locate(command.token);
  if (!found) return { active: false, reason: 'malformed', asOf: null, head: follower.applied };
  return { command, method: found.method, located: found.located };
}

async function readAll(call: Call, unread: readonly Unread[]): Promise<Validation[]> {
  const { act, ports } = call;
  const keys = unread.map(({ located }) => located.key);
  const read = await ports.records(keys, act.signal);
  // The fence may have run out while the database was asked.
  ports.presence.requireCurrent();
  return unread.map((one, i) => conclude(call, one, read.records[i] ?? null, read));
}

function conclude(call: Call, { command, method, located }: Unread, record: TokenRecord | null, read: RecordsAsOf) {
  const open = (it: TokenRecord) => method.open(located, it);
  const decision = decide(record, open, read.watermarks, demandOf(command), read.now);
  // Absence is never remembered: the token may be about to be issued.
  if (record && command.consistency.kind !== 'fully_consistent') {
    const opened = decision.active ? decision.opened : open(record);
    if (opened) call.ports.cache.set(command.token, { record, opened }, read.generation);
  }
  return answer(call, decision, read);
}

const demandOf = ({ audience, requiredScopes }: ValidateCommand): Demand => ({
  tokenClass: 'token',
  audience,
  scopes: requiredScopes,
});

function orError<Result>(attempt: () => Result): Result | Error {
  try {
    return attempt();
  } catch (error) {
    return error as Error;
  }
}

const orErrorLater = <Result>(result: Result | Promise<Result>): Result | Promise<Result | Error> =>
  result instanceof Promise ? result.catch((error: Error) => error) : result;

const answer = ({ act, releases }: Call, decision: Decision, read: AsRead): Validation =>
  decision.active ? honoured(act, decision, read, releases) : refused(act, decision.reason, read);

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
