import { hash } from 'node:crypto';
import type { Act } from '../access/act.ts';
import { actsIn, refreshAudience, requireKind, requireScope } from '../access/rights.ts';
import { RefreshTokenReused, TokenNotHonoured } from '../errors.ts';
import type { OnExcess } from '../policy/refusal.ts';
import { intentOfToken } from '../revoke/revoke-token.ts';
import type { Located, Opened } from '../tokens/token-method.ts';
import type { Ancestor, TokenRecord } from '../tokens/token-record.ts';
import type { ConsistentRecords } from '../validate/consistent-records.ts';
import { decide } from '../validate/decide.ts';
import {
  ancestorOf,
  type IssueCommand,
  type IssuedToken,
  type IssuePorts,
  issueUnderLatest,
  type Renewable,
  type Renewal,
} from './issue-token.ts';
import type { UsedBefore } from './ports.ts';
import { isRefusal, recordRefusal } from './record-refusal.ts';

export interface RefreshCommand {
  readonly token: string;
  /** Out of what the first token of the family allowed; none: all of that. */
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every limit allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly onExcess: OnExcess;
}

/** Keeps the answer to the use of a refresh token, so that only who has that token can be told it again. */
export interface AnswerSeal {
  seal(located: Located, answer: string): Buffer;
  /** Null where it is not what was sealed. */
  open(located: Located, sealed: Buffer): string | null;
}

export interface RefreshPorts extends IssuePorts {
  readonly records: ConsistentRecords;
  readonly answers: AnswerSeal;
}

/** A refresh token that is honoured: its family, and what it renews. */
interface Honoured {
  readonly located: Located;
  readonly record: TokenRecord & { readonly appId: string };
  readonly opened: Opened;
  readonly renewable: Renewable;
  readonly root: Ancestor;
  /** The database's clock when it was looked up: milliseconds since 1970. */
  readonly now: number;
}

/**
 * Makes a new token, and a new refresh token in place of the one presented, which is used up. All is decided anew. One that
 * is presented again takes its whole family with it.
 * @throws CallerNotAllowed, TokenNotHonoured, RefreshTokenReused, and what `issueToken` throws
 */
export async function refreshToken(act: Act, command: RefreshCommand, ports: RefreshPorts): Promise<IssuedToken> {
  try {
    requireKind(act.caller, 'app');
    requireScope(act.caller, 'tokens:issue:self');
    const honoured = await findHonoured(act, command, ports);
    const { located, record, renewable, root, now } = honoured;
    const request = hash('sha256', JSON.stringify([command.scopes, command.ttl, command.onExcess]));
    const renewal: Renewal = {
      root,
      beganAt: renewable.beganAt,
      madeAt: record.issuedAt,
      presentedAt: now,
      scopes: renewable.scopes,
      use: (answer) => ({
        key: record.key,
        expiresAt: record.expiresAt,
        request,
        answer: ports.answers.seal(located, JSON.stringify(answer)),
      }),
    };
    const issued = await renewOrFindUse(act, honoured, command, renewal, ports);
    return 'token' in issued ? issued : await answerAgain(act, honoured, issued, request, ports);
  } catch (error) {
    await recordRefusal(act, { appId: act.caller.name, audience: refreshAudience }, error, ports.audit);
    throw error;
  }
}

/** Whoever presents one that has been used is found out also where nothing would be renewed. */
async function renewOrFindUse(
  act: Act,
  honoured: Honoured,
  command: RefreshCommand,
  renewal: Renewal,
  ports: RefreshPorts,
): Promise<IssuedToken | UsedBefore> {
  try {
    if (honoured.now >= honoured.renewable.idleUntil) throw new TokenNotHonoured('refresh_token');
    return await issueUnderLatest(act, issueCommandOf(honoured, command), renewal, ports);
  } catch (error) {
    const before = isRefusal(error) ? await ports.tokens.findUse(honoured.record.key) : null;
    if (!before) throw error;
    return before;
  }
}

async function findHonoured(act: Act, { token }: RefreshCommand, ports: RefreshPorts): Promise<Honoured> {
  const found = ports.methods.locate(token);
  if (!found) throw new TokenNotHonoured('refresh_token');
  const { located, method } = found;
  const {
    records: [record = null],
    now,
    watermarks,
  } = await ports.records([{ key: located.key, tenantIds: act.caller.tenantIds }], act.signal);
  const opened = record && !watermarks.revokes(record) ? await method.open(located, record) : null;
  const demand = {
    tokenClass: 'token',
    audience: refreshAudience,
    scopes: opened?.scopes ?? [],
    request: null,
    proof: null,
  } as const;
  // What it renews is decided anew, by the whole of the policy.
  const decision = decide(record, opened, watermarks, demand, now, null);
  if (!decision.active || !actsIn(act.caller, decision.record.tenantId)) throw new TokenNotHonoured('refresh_token');
  const renewable = decision.opened.claims as unknown as Renewable;
  const { appId } = decision.record;
  if (appId === null || appId !== act.caller.name) throw new TokenNotHonoured('refresh_token');
  const known = { ...decision.record, appId };
  return { located, record: known, opened: decision.opened, renewable, root: rootOf(known), now };
}

/** The first refresh token of the family. */
const rootOf = (record: TokenRecord): Ancestor => record.lineage.at(-1) ?? ancestorOf(record, record.expiresAt);

function issueCommandOf(
  { record, opened, renewable }: Honoured,
  { scopes, ttl, onExcess }: RefreshCommand,
): IssueCommand {
  const { audience, method, usage, claims } = renewable;
  return {
    tenantId: record.tenantId,
    appId: record.appId,
    userId: opened.userId,
    audience,
    scopes: scopes.length > 0 ? scopes : renewable.scopes,
    ttl,
    method,
    usage,
    claims,
    consentId: record.consentId,
    confirmation: renewable.confirmation,
    refreshable: true,
    onExcess,
  };
}

/** A call that is repeated within the grace is told the same again; else somebody has a copy. */
async function answerAgain(
  act: Act,
  { located, record, renewable }: Honoured,
  before: UsedBefore,
  request: string,
  ports: RefreshPorts,
): Promise<IssuedToken> {
  // What is remembered may be older than the end of the grace.
  ports.registry.forget(record.tenantId);
  const { app } = await ports.registry.find(record.tenantId, record.appId, renewable.audience);
  const grace = (app?.refresh?.grace ?? 0) * 1_000;
  // In the future: the clock has been set back since, and nobody knows for how long the grace would last.
  const isWithinGrace = before.age >= 0 && before.age < grace;
  const answer = isWithinGrace && before.request === request ? ports.answers.open(located, before.answer) : null;
  if (answer !== null) return JSON.parse(answer);
  await ports.revocations.write(intentOfToken(act, record, 'a refresh token was used again'));
  throw new RefreshTokenReused();
}
