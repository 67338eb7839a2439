import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type { IssuerService, RegistryService, RevocationService, ValidatorService } from '@touchstone/contracts';
import { ClientType, HostingType, Usage } from '@touchstone/contracts';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { parseRevision } from '@touchstone/core';
import { longLife } from '../harness/world.ts';
import type { Answered, Event, Freshness, Issued, Level, Restored, Target } from './history.ts';
import type { Random } from './random.ts';

/** A tenant to race in. */
export interface Arena {
  readonly tenantId: string;
  readonly audience: string;
  readonly appIds: readonly string[];
  /** One of each replica, as the caller that each is for. */
  readonly issuers: readonly Client<typeof IssuerService>[];
  readonly validators: readonly { readonly name: string; readonly client: Client<typeof ValidatorService> }[];
  readonly revocations: readonly Client<typeof RevocationService>[];
  readonly registry: Client<typeof RegistryService>;
}

/** What has happened so far. */
export interface Recorded {
  readonly events: Event[];
  /** Calls that failed as they may, by the reason. */
  readonly failures: Map<string, number>;
  /** Calls that failed as none may. */
  readonly unexpected: string[];
  /** When the database was put back. */
  readonly restores: Restored[];
  /** The latest revision that any answer gave. */
  latest: { readonly number: number; readonly text: string };
}

const noRevision: Recorded['latest'] = { number: -1, text: '' };

export const nothingRecorded = (): Recorded => ({
  events: [],
  failures: new Map(),
  unexpected: [],
  restores: [],
  latest: noRevision,
});

const levels: readonly Level[] = ['token', 'user', 'app_user', 'app', 'tenant', 'all', 'disabled_app'];
const userIds = ['ada', 'bob', 'eve'];
const timeoutMs = 20_000;
const within = { timeoutMs };
const scopes = ['orders:read'];

/**
 * One race: some tokens of one user, validated over and over in all modes while something that covers them is revoked,
 * and some more times afterwards.
 */
export async function race(arena: Arena, random: Random, recorded: Recorded): Promise<void> {
  const level = random.of(levels);
  const userId = random.of(userIds);
  const appId = level === 'disabled_app' ? await newApp(arena, random, recorded) : random.of(arena.appIds);
  if (appId === null) return;
  const tokens: { readonly token: string; readonly issued: Issued }[] = [];
  const issueOne = async () => {
    const one = await issue(arena, { appId, userId }, random, recorded);
    if (one) tokens.push(one);
  };
  await issueOne();
  let isOver = false;
  const validateOne = async () => {
    if (tokens.length === 0) return sleep(5);
    const { token, issued } = random.of(tokens);
    return validate(arena, token, issued.tokenId, random, recorded);
  };
  const validating = Array.from({ length: 3 }, async () => {
    while (!isOver) await validateOne();
  });
  const issuing = issueOne();
  await sleep(random.next() * 30);
  const target = { level, tenantId: arena.tenantId, appId, userId, tokenId: tokens[0]?.issued.tokenId ?? '' };
  if (tokens.length > 0) await revoke(arena, target, random, recorded);
  await Promise.all([issuing, issueOne(), sleep(random.next() * 50)]);
  for (let i = 0; i < 4; i++) await validateOne();
  isOver = true;
  await Promise.all(validating);
}

async function newApp({ registry, tenantId, audience }: Arena, random: Random, recorded: Recorded) {
  const appId = `app-${Math.floor(random.next() * 2 ** 48).toString(36)}`;
  const app = {
    appId,
    tenantId,
    clientType: ClientType.WEB,
    hostingType: HostingType.FIRST_PARTY,
    grants: [{ audience, scopes }],
  };
  return (await attempt(recorded, 'CreateApp', () => registry.createApp({ app }, within))) && appId;
}

async function issue(
  { issuers, tenantId, audience }: Arena,
  { appId, userId }: { readonly appId: string; readonly userId: string },
  random: Random,
  recorded: Recorded,
) {
  const start = performance.now();
  const request = {
    tenantId,
    appId,
    userId,
    audience,
    scopes,
    usage: Usage.TEST,
    ttl: longLife,
    claims: { name: userId },
  };
  const answer = await attempt(recorded, 'IssueToken', () => random.of(issuers).issueToken(request, within));
  if (!answer) return null;
  const { token, tokenId } = answer;
  const issued = { type: 'issued', start, end: performance.now(), tokenId, tenantId, appId, userId } as const;
  recorded.events.push(issued);
  noteRevision(recorded, answer.revision);
  return { token, issued };
}

async function validate(
  { validators, audience }: Arena,
  token: string,
  tokenId: string,
  random: Random,
  recorded: Recorded,
): Promise<void> {
  const { name, client } = random.of(validators);
  const { freshness, consistency } = freshnessOf(random, recorded);
  const request = { token, audience, requiredScopes: scopes, consistency: { requirement: consistency } };
  const start = performance.now();
  const answer = await attempt(recorded, 'ValidateToken', () => client.validateToken(request, within));
  if (!answer) return;
  const { active } = answer;
  const answered: Answered = {
    type: 'answered',
    start,
    end: performance.now(),
    tokenId,
    validator: name,
    freshness,
    active,
  };
  recorded.events.push(answered);
  noteRevision(recorded, answer.revision);
}

function freshnessOf(random: Random, { latest }: Recorded) {
  const choice = random.next();
  if (choice < 0.4 || (choice > 0.8 && latest.number < 0)) {
    return {
      freshness: { mode: 'full' } satisfies Freshness,
      consistency: { case: 'fullyConsistent', value: true } as const,
    };
  }
  if (choice <= 0.8) {
    const milliseconds = random.of([1, 20, 200, 2_000]);
    const value = { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1e6 };
    return {
      freshness: { mode: 'bounded', milliseconds } satisfies Freshness,
      consistency: { case: 'maxStaleness', value } as const,
    };
  }
  return {
    freshness: { mode: 'revision', revision: latest.number } satisfies Freshness,
    consistency: { case: 'atLeastRevision', value: latest.text } as const,
  };
}

async function revoke(arena: Arena, target: Target, random: Random, recorded: Recorded): Promise<void> {
  const start = performance.now();
  const answer = await attempt(recorded, `Revoke ${target.level}`, () => revocationOf(arena, target, random));
  const revision = answer ? noteRevision(recorded, answer.revision) : null;
  const end = answer ? performance.now() : Number.POSITIVE_INFINITY;
  recorded.events.push({ type: 'revoked', start, end, target, revision });
}

function revocationOf(
  { revocations, registry }: Arena,
  { level, tenantId, appId, userId, tokenId }: Target,
  random: Random,
): Promise<{ readonly revision: string }> {
  const client = random.of(revocations);
  const idempotencyKey = `race-${Math.floor(random.next() * 2 ** 48).toString(36)}`;
  const all = (target: Parameters<typeof client.revokeTokens>[0]['target']) =>
    client.revokeTokens({ target, reason: 'torture', idempotencyKey }, within);
  switch (level) {
    case 'token':
      return client.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId }, reason: 'torture' }, within);
    case 'user':
      return all({ target: { case: 'user', value: { tenantId, userId } } });
    case 'app_user':
      return all({ target: { case: 'appUser', value: { appId, userId } } });
    case 'app':
      return all({ target: { case: 'app', value: { appId } } });
    case 'tenant':
      return all({ target: { case: 'tenant', value: { tenantId } } });
    case 'all':
      return all({ target: { case: 'all', value: {} } });
    case 'disabled_app':
      return registry.disableApp({ appId }, within);
  }
}

/** @returns its number. */
function noteRevision(recorded: Recorded, text: string): number | null {
  const number = parseRevision(text)?.revision ?? null;
  if (number !== null && number > recorded.latest.number) recorded.latest = { number, text };
  return number;
}

const excused = [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Aborted];

/** It was lost when the database was put back. */
const isRevisionUnknown = (error: ConnectError): boolean =>
  error.findDetails(ErrorInfoSchema).some(({ reason }) => reason === 'REVISION_UNKNOWN');

/** Null where the call failed; whether it may have is noted. */
async function attempt<Answer>(recorded: Recorded, what: string, call: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await call();
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const said = `${what}: ${Code[error.code]}`;
    recorded.failures.set(said, (recorded.failures.get(said) ?? 0) + 1);
    // An app that a race has disabled, a token that went with its tenant's: both are answers, not faults.
    const isAnswer = error.code === Code.FailedPrecondition || error.code === Code.NotFound;
    if (recorded.restores.length > 0 && isRevisionUnknown(error)) recorded.latest = noRevision;
    else if (!excused.includes(error.code) && !isAnswer) recorded.unexpected.push(`${said} ${error.rawMessage}`);
    return null;
  }
}
