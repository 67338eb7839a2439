import { setTimeout as sleep } from 'node:timers/promises';
import { ClientType, HostingType, TokenMethod, Usage } from '@touchstone/contracts';
import type { TokenMethodName } from '@touchstone/core';
import { longLife } from '../harness/world.ts';
import { type Arena, scopes, within } from './arena.ts';
import { type Answered, type Freshness, type Issued, type Level, levels } from './history.ts';
import { type Presented, presentedOf, signingKeyIdOf } from './presented.ts';
import type { Random } from './random.ts';
import { attempt, noteIssued, noteRevision, type Recorded } from './recorded.ts';
import { aKeyOf, randomName, revoke, rotate } from './revoking.ts';

const userIds = ['ada', 'bob', 'eve'];
const methods: Readonly<Record<TokenMethodName, TokenMethod>> = {
  reference: TokenMethod.REFERENCE,
  encrypted: TokenMethod.ENCRYPTED,
  consent_key: TokenMethod.CONSENT_KEY,
  signed: TokenMethod.SIGNED,
  split: TokenMethod.SPLIT,
  attenuable: TokenMethod.ATTENUABLE,
};
const all = Object.keys(methods) as readonly TokenMethodName[];
const withoutConsent = all.filter((name) => name !== 'consent_key');
const signed: readonly TokenMethodName[] = ['encrypted', 'signed', 'split'];
/** Of consents: no token outlives its own, whatever the clocks say. */
const longerLife = { seconds: 2n * longLife.seconds };
/** In how many of the races the signing key is rotated. */
const rotatingShareOf = (level: Level): number => (level === 'signing_key' ? 0.5 : 0.05);
/** How many take a consent from before, be it one that has been withdrawn, and of how many. */
const [earlierShare, earlierMax] = [0.1, 20];

/** Whom a race is about. */
interface Holder {
  readonly appId: string;
  readonly userId: string;
  /** Null: there is none. */
  readonly consentId: string | null;
}

/** A token, and the ways of presenting it. */
interface Held {
  readonly issued: Issued;
  readonly presented: readonly Presented[];
}

/** What apps are registered with. */
export const appSettings = { methods: Object.values(methods) };

/**
 * One race: some tokens of one user, validated over and over in all modes while something that covers them is revoked,
 * and some more times afterwards.
 */
export async function race(arena: Arena, random: Random, recorded: Recorded): Promise<void> {
  const level = random.of(levels);
  const holder = await holderFor(level, arena, random, recorded);
  if (!holder) return;
  const tokens: Held[] = [];
  const issueOne = async () => {
    const one = await issue(arena, holder, methodFor(level, holder, random), random, recorded);
    if (one) tokens.push(one);
  };
  await issueOne();
  let isOver = false;
  const validateOne = async () => {
    if (tokens.length === 0) return sleep(5);
    return validate(arena, random.of(tokens), random, recorded);
  };
  const validating = Array.from({ length: 3 }, async () => {
    while (!isOver) await validateOne();
  });
  const meanwhile = [issueOne(), issueOne()];
  await sleep(random.next() * 30);
  await revokeOne(arena, level, holder, tokens, random, recorded);
  await Promise.all([...meanwhile, issueOne(), sleep(random.next() * 50)]);
  for (let i = 0; i < 4; i++) await validateOne();
  isOver = true;
  await Promise.all(validating);
}

/** Null where there can be no race. */
async function holderFor(level: Level, arena: Arena, random: Random, recorded: Recorded): Promise<Holder | null> {
  const earlier = recorded.consents.filter(({ tenantId }) => tenantId === arena.tenantId).slice(-earlierMax);
  if (level !== 'disabled_app' && earlier.length > 0 && random.next() < earlierShare) return random.of(earlier);
  const userId = random.of(userIds);
  const appId = level === 'disabled_app' ? await newApp(arena, random, recorded) : random.of(arena.appIds);
  if (appId === null) return null;
  const isConsenting = level === 'consent' || random.next() < 0.5;
  const consentId = isConsenting ? await consent(arena, { appId, userId }, random, recorded) : null;
  return level === 'consent' && consentId === null ? null : { appId, userId, consentId };
}

const methodFor = (level: Level, { consentId }: Holder, random: Random): TokenMethodName =>
  random.of(level === 'signing_key' ? signed : consentId === null ? withoutConsent : all);

async function revokeOne(
  arena: Arena,
  level: Level,
  { appId, userId, consentId }: Holder,
  [first]: readonly Held[],
  random: Random,
  recorded: Recorded,
): Promise<void> {
  if (!first) return;
  const signingKeyId = level === 'signing_key' ? await aKeyOf(arena, random, recorded) : '';
  if (level === 'signing_key' && signingKeyId === '') return;
  const { tokenId } = first.issued;
  const target = { level, tenantId: arena.tenantId, appId, userId, tokenId, consentId: consentId ?? '', signingKeyId };
  const rotating = random.next() < rotatingShareOf(level) ? rotate(arena, random, recorded) : null;
  await revoke(arena, target, random.of(first.presented), random, recorded);
  await rotating;
}

async function newApp({ registry, tenantId, audience }: Arena, random: Random, recorded: Recorded) {
  const appId = randomName('app', random);
  const app = {
    appId,
    tenantId,
    clientType: ClientType.WEB,
    hostingType: HostingType.FIRST_PARTY,
    grants: [{ audience, scopes }],
    ...appSettings,
  };
  return (await attempt(recorded, 'CreateApp', () => registry.createApp({ app }, within))) && appId;
}

/** @returns its id; null where it was not recorded. */
async function consent(
  { consents, tenantId, audience }: Arena,
  { appId, userId }: Omit<Holder, 'consentId'>,
  random: Random,
  recorded: Recorded,
): Promise<string | null> {
  const request = {
    tenantId,
    appId,
    userId,
    grants: [{ audience, scopes }],
    ttl: longerLife,
    idempotencyKey: randomName('consent', random),
  };
  const answer = await attempt(recorded, 'RecordConsent', () => random.of(consents).recordConsent(request, within));
  const consentId = answer?.consent?.consentId;
  if (consentId === undefined) return null;
  recorded.consents.push({ tenantId, appId, userId, consentId });
  return consentId;
}

async function issue(
  { issuers, tenantId, audience }: Arena,
  { appId, userId, consentId }: Holder,
  method: TokenMethodName,
  random: Random,
  recorded: Recorded,
): Promise<Held | null> {
  const request = {
    tenantId,
    appId,
    userId,
    audience,
    scopes,
    usage: Usage.TEST,
    ttl: longLife,
    claims: { name: userId },
    method: methods[method],
    ...(consentId === null ? {} : { consentId }),
  };
  const start = performance.now();
  const answer = await attempt(recorded, 'IssueToken', () => random.of(issuers).issueToken(request, within));
  if (!answer) return null;
  const end = performance.now();
  const { token, tokenId } = answer;
  const signingKeyId = signingKeyIdOf(token, { method });
  const known = { tokenId, tenantId, appId, userId, method, consentId, signingKeyId, sequence: null };
  const issued: Issued = { type: 'issued', start, end, ...known };
  noteIssued(recorded, issued);
  noteRevision(recorded, answer.revision);
  return { issued, presented: presentedOf(token, issued, random) };
}

async function validate(
  { validators, audience }: Arena,
  { issued: { tokenId }, presented }: Held,
  random: Random,
  recorded: Recorded,
): Promise<void> {
  const { name, client } = random.of(validators);
  const { freshness, consistency } = freshnessOf(random, recorded);
  const request = {
    ...random.of(presented),
    audience,
    requiredScopes: scopes,
    consistency: { requirement: consistency },
  };
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
  if (active && answer.tokenId !== tokenId) recorded.unexpected.push(`ValidateToken told another token's id`);
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
