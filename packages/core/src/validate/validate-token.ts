import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope } from '../access/rights.ts';
import { type Awaitable, andThen } from '../awaitable.ts';
import { CallerNotAllowed } from '../errors.ts';
import type { TenantHandles, UserHandles } from '../issue/ports.ts';
import type { Cap } from '../policy/cap.ts';
import { released, subjectOf } from '../register/released.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Watermarks } from '../revisions/watermarks.ts';
import type { Located, Opened, TokenMethod, TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import { becomeFreshEnough, type Consistency, isFreshEnough } from './consistency.ts';
import type { ConsistentRecords, RecordsAsOf } from './consistent-records.ts';
import { type Decision, type Demand, decide, type Proven, type RefusalReason } from './decide.ts';
import type { Release, ReleaseReader } from './ports.ts';
import type { Presence } from './presence.ts';
import { decideWithProof, type Presented, type ProofPorts } from './proof.ts';
import type { KnownToken, TokenCache, Told } from './token-cache.ts';
import { underRelease } from './under-release.ts';
import type { Uses } from './uses.ts';

export interface ValidateCommand extends Presented {
  readonly audience: string;
  readonly requiredScopes: readonly string[];
  /** The request that the token came with: SHA-256 in base64url of what identifies it; null: not told. */
  readonly request: string | null;
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
  ({ readonly active: false; readonly reason: ToldReason } | { readonly active: true; readonly told: Told });

export interface ValidatePorts extends ProofPorts {
  readonly methods: TokenMethods;
  readonly records: ConsistentRecords;
  readonly cache: TokenCache;
  readonly follower: Follower;
  readonly presence: Presence;
  readonly releases: ReleaseReader;
  readonly handles: Pick<UserHandles, 'of'>;
  readonly uses: Uses;
}

/**
 * Says whether the token may be honoured at the caller's resource server, as freshly as the command demands: at once where
 * nobody need be asked.
 * @throws CallerNotAllowed, RevisionUnknown, Fenced, StoreUnavailable, Overloaded, in either way - and then the token must
 *   be refused.
 */
export function validateToken(act: Act, command: ValidateCommand, ports: ValidatePorts): Awaitable<Validation> {
  return andThen(validateTokens(act, [command], ports), ([outcome]) => {
    if (outcome instanceof Error) throw outcome;
    return outcome as Validation;
  });
}

/**
 * As `validateToken` for each, in order: an answer, or the error that it would have thrown.
 * @throws CallerNotAllowed, Fenced, StoreUnavailable, where nobody would get an answer, in either way.
 */
export function validateTokens(
  act: Act,
  commands: readonly ValidateCommand[],
  ports: ValidatePorts,
): Awaitable<(Validation | Error)[]> {
  requireKind(act.caller, 'resource_server');
  requireScope(act.caller, 'tokens:validate');
  const { name: audience, tenantIds } = act.caller;
  const [tenantId = ''] = tenantIds;
  const taken = new Set<ValidateCommand>();
  return underRelease(tenantId, audience, ports, (release) => validateShowing(release, taken, act, commands, ports));
}

function validateShowing(
  release: Release,
  taken: Set<ValidateCommand>,
  act: Act,
  commands: readonly ValidateCommand[],
  ports: ValidatePorts,
): Awaitable<(Validation | Error)[]> {
  const [tenantId = ''] = act.caller.tenantIds;
  const handles = release.pairwiseSector === null ? noPseudonyms : ports.handles.of(tenantId);
  return andThen(handles, (pseudonyms) => {
    const call: Call = { act, ports, release, taken, pseudonyms, recollection: recollect(ports) };
    const begun = settled(commands.map((command) => orError(() => begin(call, command))));
    return andThen(begun, (known) =>
      begun instanceof Promise || known.some(isUnread) ? finish(call, known) : tell(known as (Answer | Error)[]),
    );
  });
}

/** Waits for all that an answer waits for, the database too; and none is made before that, be it known from the beginning. */
async function finish(call: Call, known: readonly (Answer | Unread | Error)[]): Promise<(Validation | Error)[]> {
  const unread = known.filter(isUnread);
  const read = unread.length > 0 ? await readAll(call, unread).catch((error: Error) => unread.map(() => error)) : [];
  let next = 0;
  const answers = await settled(known.map((one) => (isUnread(one) ? (read[next++] as (typeof read)[number]) : one)));
  // Another history has been loaded since: only what is asked next tells how old it is.
  if (!Number.isFinite(call.ports.follower.age)) await call.ports.follower.refresh();
  // The fence may have run out meanwhile, and what was remembered have been revoked.
  call.recollection = recollect(call.ports);
  return tell(answers);
}

const isUnread = (one: Answer | Unread | Error): one is Unread => 'located' in one;

const tell = (answers: readonly (Answer | Error)[]): (Validation | Error)[] =>
  answers.map((one) => (one instanceof Error ? one : orError(one)));

/** Where nobody is told any. */
const noPseudonyms = {
  pseudonymOf: (): never => {
    throw new Error('the resource server has no sector');
  },
};

/** What the commands of one call share. */
interface Call {
  readonly act: Act;
  readonly ports: ValidatePorts;
  /** What the caller is shown. */
  readonly release: Release;
  /** Those whose proof has been taken: when they are answered anew, it is theirs. */
  readonly taken: Set<ValidateCommand>;
  readonly pseudonyms: Pick<TenantHandles, 'pseudonymOf'>;
  recollection: Recollection;
}

/** Answers by what is known when it is called. */
type Answer = () => Validation;

/** What is known without the database: when the commands are looked at, and again once something had to be waited for. */
interface Recollection extends AsRead {
  /** Milliseconds. */
  readonly age: number;
  readonly databaseNow: number;
  readonly watermarks: Watermarks;
}

/** @throws Fenced */
function recollect({ presence, follower }: ValidatePorts): Recollection {
  presence.requireCurrent();
  const { age, databaseNow, watermarks, applied } = follower;
  return { age, databaseNow, watermarks, now: Math.floor(databaseNow - age), head: applied };
}

/** A command that the database must be asked about. */
interface Unread {
  readonly command: ValidateCommand;
  readonly method: TokenMethod;
  readonly located: Located;
}

/** Answers from what is known here, or says what to ask the database for. */
function begin(call: Call, command: ValidateCommand): Awaitable<Answer | Unread> {
  const { act, ports, recollection } = call;
  if (command.audience !== act.caller.name) {
    throw new CallerNotAllowed('a resource server validates for its own audience', { field: 'audience' });
  }
  const { consistency } = command;
  if (consistency.kind === 'fully_consistent') return locate(ports, command);
  const { stalenessMax } = call.release;
  if (isFreshEnough(consistency, stalenessMax, ports.follower, recollection.age)) return recallOrLocate(call, command);
  // Reading its record tells as much as asking how old the rest is.
  if (consistency.kind === 'max_staleness' && !ports.cache.get(command.token)) return locate(ports, command);
  return becomeFreshEnough(consistency, stalenessMax, ports.follower).then(() => {
    call.recollection = recollect(ports);
    // Another history is being loaded since: what was fresh enough is in force no more.
    return Number.isFinite(call.recollection.age) ? recallOrLocate(call, command) : begin(call, command);
  });
}

const recallOrLocate = (call: Call, command: ValidateCommand): Awaitable<Answer | Unread> =>
  recall(call, command) ?? locate(call.ports, command);

/** Null where the token is not remembered. */
function recall(call: Call, command: ValidateCommand): Awaitable<Answer> | null {
  const known = call.ports.cache.get(command.token);
  // Of another tenant's nothing is known, as in the database.
  if (!known || !actsIn(call.act.caller, known.record.tenantId)) return null;
  const held = call.release.holds ? call.release.holds.capOf(known.record) : null;
  // Reading the token anew brings its app along.
  if (held === undefined) return null;
  const decideOn = (proven: Proven | null) => {
    const { watermarks, databaseNow } = call.recollection;
    return decide(known.record, known.opened, watermarks, demandOf(command, proven), databaseNow, held);
  };
  return answering(call, command, decideOn, null, known);
}

function locate({ methods, follower }: ValidatePorts, command: ValidateCommand): Answer | Unread {
  const found = methods.locate(command.token);
  if (!found) return () => ({ active: false, reason: 'malformed', asOf: null, head: follower.applied });
  return { command, method: found.method, located: found.located };
}

async function readAll(call: Call, unread: readonly Unread[]): Promise<(Awaitable<Answer> | Error)[]> {
  const { act, ports } = call;
  const { tenantIds } = act.caller;
  const wanted = unread.map(({ located }) => ({ key: located.key, tenantIds }));
  const read = await ports.records(wanted, act.signal);
  const { holds } = call.release;
  const held = holds && (await holds.capsOf(read.records));
  const recordOf = (i: number) => read.records[i] ?? null;
  const opened = await settled(unread.map((one, i) => orError(() => open(one, recordOf(i), read))));
  // The fence may have run out while the database was asked.
  ports.presence.requireCurrent();
  return unread.map((one, i) => {
    const it = opened[i] ?? null;
    return it instanceof Error ? it : conclude(call, one, recordOf(i), it, read, held?.[i] ?? null);
  });
}

/** A revoked token is opened only to be remembered: else it would take longer than one that is unknown. */
function open({ command, method, located }: Unread, record: TokenRecord | null, { watermarks }: RecordsAsOf) {
  if (!record || (!isRemembered(command) && watermarks.revokes(record))) return null;
  return method.open(located, record);
}

const isRemembered = ({ consistency }: ValidateCommand): boolean => consistency.kind !== 'fully_consistent';

function conclude(
  call: Call,
  { command }: Unread,
  record: TokenRecord | null,
  opened: Opened | null,
  read: RecordsAsOf,
  held: Cap | null,
) {
  // Absence is never remembered: the token may be about to be issued.
  if (record && opened && isRemembered(command)) call.ports.cache.set(command.token, record, opened, read.generation);
  const decideOn = (proven: Proven | null) =>
    decide(record, opened, read.watermarks, demandOf(command, proven), read.now, held);
  return answering(call, command, decideOn, read, null);
}

/**
 * Once a DPoP proof has been taken, where the token takes one.
 * @param read null where the database was not asked.
 */
function answering(
  call: Call,
  command: ValidateCommand,
  decideOn: (proven: Proven | null) => Decision,
  read: AsRead | null,
  known: KnownToken | null,
): Awaitable<Answer> {
  const answerBy =
    (decideNow: () => Decision): Answer =>
    () =>
      answer(call, command, decideNow(), read ?? call.recollection, known);
  const ports = command.proof?.kind === 'dpop' ? { proofs: takenOnce(call, command) } : call.ports;
  return andThen(decideWithProof(command, 'validation', decideOn, ports, call.act.signal), answerBy);
}

const takenOnce = ({ ports, taken }: Call, command: ValidateCommand): ProofPorts['proofs'] => ({
  verify: (proof, token) => ports.proofs.verify(proof, token),
  async take(proof, signal) {
    if (taken.has(command)) return true;
    const isTaken = await ports.proofs.take(proof, signal);
    if (isTaken) taken.add(command);
    return isTaken;
  },
});

const demandOf = (command: ValidateCommand, proof: Proven | null): Demand => ({
  tokenClass: 'token',
  audience: command.audience,
  scopes: command.requiredScopes,
  request: command.request,
  proof,
});

function orError<Result>(attempt: () => Result): Result | Error {
  try {
    return attempt();
  } catch (error) {
    return error as Error;
  }
}

/** The outcome of each, once all are there. */
const settled = <Result>(outcomes: (Awaitable<Result> | Error)[]): Awaitable<(Result | Error)[]> =>
  outcomes.some((one) => one instanceof Promise)
    ? Promise.all(outcomes.map((one) => (one instanceof Promise ? one.catch((error: Error) => error) : one)))
    : (outcomes as (Result | Error)[]);

type AsRead = Pick<RecordsAsOf, 'now' | 'head'>;

/** @param known the token, where it is remembered. */
function answer(
  { act, release, pseudonyms, ports }: Call,
  { requiredScopes }: ValidateCommand,
  decision: Decision,
  { now, head }: AsRead,
  known: KnownToken | null,
): Validation {
  const refusal = (reason: RefusalReason) =>
    ({ active: false, reason: toldReason(act, reason), asOf: now, head }) as const;
  if (!decision.active) return refusal(decision.reason);
  const { record, opened } = decision;
  // Audiences belong to one tenant, so this can't differ; were it to, nothing crosses tenants.
  if (!actsIn(act.caller, record.tenantId) || record.appId === null) return refusal('audience_mismatch');
  ports.uses.note(record, requiredScopes);
  const { claims, pairwiseSector } = release;
  const last = known?.lastTold;
  if (last?.claims === claims && last.pairwiseSector === pairwiseSector) {
    return { active: true, told: last.told, asOf: now, head };
  }
  const told: Told = {
    tokenId: idOf(record),
    tenantId: record.tenantId,
    appId: record.appId,
    subject: subjectOf(opened.userId, release, pseudonyms) ?? record.appId,
    scopes: opened.scopes,
    expiresAt: opened.expiresAt,
    claims: released(opened.claims, claims),
    actors: opened.actors ?? [],
    encoded: null,
  };
  if (known) known.lastTold = { claims, pairwiseSector, told };
  return { active: true, told, asOf: now, head };
}

const openReasons = new Set<RefusalReason>([
  'malformed',
  'proof_required',
  'proof_invalid',
  'expired',
  'scope_missing',
  'request_mismatch',
]);

/** Unknown, revoked, changed, held against by a policy and meant for somebody else look alike to those who may not know. */
function toldReason(act: Act, reason: RefusalReason): ToldReason {
  return openReasons.has(reason) || act.caller.scopes.includes('tokens:explain') ? reason : 'not_honoured';
}
