import { setTimeout as sleep } from 'node:timers/promises';
import { ClientType, HostingType } from '@touchstone/contracts';
import { ancestorsMax, type TokenMethodName } from '@touchstone/core';
import { longLife } from '../harness/world.ts';
import { type App, type Arena, grantsIn, within } from './arena.ts';
import type { Hoard, Holder, Race } from './held.ts';
import { type Target, targetOf } from './history.ts';
import { exchange, issue, methods, refresh } from './issuing.ts';
import type { Random } from './random.ts';
import { attempt, type Recorded } from './recorded.ts';
import { aKeyOf, randomName, revoke, rotate } from './revoking.ts';
import { validate } from './validating.ts';

const userIds = ['ada', 'bob', 'eve'];
const all = Object.keys(methods) as readonly TokenMethodName[];
const withoutConsent = all.filter((name) => name !== 'consent_key');
const signed: readonly TokenMethodName[] = ['encrypted', 'signed', 'split'];
/** Of consents: no token outlives its own, whatever the clocks say. And of families. */
const longerLife = { seconds: 2n * longLife.seconds };
/** In how many of the races the signing key is rotated. */
const rotatingShareOf = (level: Target['level']): number => (level === 'signing_key' ? 0.5 : 0.05);
/** How many take a consent from before, be it one that has been withdrawn, and of how many. */
const [earlierShare, earlierMax] = [0.1, 20];
/** In how many the tokens can be renewed. */
const renewableShareOf = (level: Target['level']): number => (level === 'family' ? 1 : 0.3);
/** In how many tokens are derived from others; how many before the revocation, and while it is under way, at most. */
const [derivingShare, derivedMax, meanwhileMax] = [0.3, 4, 2];
/** Levels at which anything can be revoked; and those that take preparations, one in a race. */
const plainLevels = ['token', 'user', 'app_user', 'app', 'tenant', 'all'] as const;
const particularLevels = ['consent', 'signing_key', 'family', 'disabled_app'] as const;
/** In how many races they come; with up to so many others, each level comes as often as every other. */
const [grantShare, particularShare, othersMax] = [0.05, 0.82, 2];
/** Nothing can be issued after these. */
const lastLevels: readonly Target['level'][] = ['consent', 'disabled_app', 'grant'];
/** How many of the exchanges an app asks for. */
const byAppShare = 0.4;

/** What apps are registered with. */
export const appSettings = { methods: Object.values(methods), refresh: { ttlMax: longerLife } };

/** What apps call with. */
export const credentialOf = (appId: string) => ({
  principal: { case: 'app' as const, value: { appId } },
  scopes: ['tokens:issue:self'],
  ttl: longLife,
});

/**
 * One race: some tokens of one user, validated over and over in all modes, and others derived from them, while something that
 * covers them is revoked, once or a few times, and some more times afterwards.
 */
export async function race(arena: Arena, random: Random, recorded: Recorded): Promise<void> {
  const { level, others } = drawLevels(random);
  const holder = await holderFor(level, arena, random, recorded);
  if (!holder) return;
  const hoard: Hoard = { tokens: [], renewals: [] };
  const its: Race = { arena, holder, hoard, random, recorded };
  const isRenewable = random.next() < renewableShareOf(level);
  const issueOne = () => issue(its, methodFor(level, holder, random), isRenewable);
  const isDeriving = random.next() < derivingShare;
  const deriveOne = async () => {
    if (isDeriving) await derive(its);
  };
  await issueOne();
  let isOver = false;
  const validateOne = async () => {
    if (hoard.tokens.length === 0) return sleep(5);
    return validate(random.of(hoard.tokens), random, recorded);
  };
  const validating = (async () => {
    while (!isOver) await validateOne();
  })();
  for (let left = random.below(derivedMax + 1); left > 0; left--) await deriveOne();
  for (const one of lastLevels.includes(level) ? [...others, level] : [level, ...others]) {
    const meanwhile = [issueOne(), ...Array.from({ length: random.below(meanwhileMax + 1) }, deriveOne)];
    await sleep(random.next() * 30);
    await revokeOne(its, one);
    if (one === 'grant') await useGrant(its);
    await Promise.all(meanwhile);
  }
  await Promise.all([issueOne(), deriveOne(), sleep(random.next() * 50)]);
  for (let i = 0; i < 4; i++) await validateOne();
  isOver = true;
  await validating;
}

/** What a race is about, and at which levels something is revoked beside it. */
function drawLevels(random: Random): { level: Target['level']; others: Target['level'][] } {
  const others = Array.from({ length: random.below(othersMax + 1) }, () => random.of(plainLevels));
  const draw = random.next();
  if (draw < grantShare) return { level: 'grant', others };
  return { level: random.of(draw < grantShare + particularShare ? particularLevels : plainLevels), others };
}

/** Null where there can be no race. */
async function holderFor(
  level: Target['level'],
  arena: Arena,
  random: Random,
  recorded: Recorded,
): Promise<Holder | null> {
  const earlier = recorded.consents.filter(({ tenantId }) => tenantId === arena.tenantId).slice(-earlierMax);
  const isOfNew = level === 'disabled_app' || level === 'grant';
  if (!isOfNew && earlier.length > 0 && random.next() < earlierShare) return random.of(earlier);
  const userId = random.of(userIds);
  const app = isOfNew ? await newApp(arena, random, recorded) : random.of(arena.apps);
  if (app === null) return null;
  const isConsenting = level === 'consent' || random.next() < 0.5;
  const consentId = isConsenting ? await consent(arena, { app, userId }, random, recorded) : null;
  return level === 'consent' && consentId === null ? null : { app, userId, consentId };
}

const methodFor = (level: Target['level'], { consentId }: Holder, random: Random): TokenMethodName =>
  random.of(level === 'signing_key' ? signed : consentId === null ? withoutConsent : all);

/** Makes a token out of one, or with a refresh token that has not been used. */
async function derive(its: Race): Promise<void> {
  const { arena, hoard, random } = its;
  const unused = hoard.renewals.filter(({ uses }) => uses === 0);
  if (unused.length > 0 && random.next() < 0.4) {
    return refresh(its, random.of(unused));
  }
  const tokens = hoard.tokens.filter(({ depth, isBrief }) => depth < ancestorsMax && !isBrief);
  // The latest one makes the longest lines.
  const wanted = random.next() < 0.5 ? tokens.slice(-1) : tokens;
  if (wanted.length === 0) return;
  const one = random.of(wanted);
  const how = { server: random.of([one.server, arena.back]), byApp: random.next() < byAppShare };
  return exchange(its, one, how);
}

/** What the app may not do any more once it has lost its grant. */
async function useGrant(its: Race): Promise<void> {
  const { arena, hoard, random } = its;
  const { front } = arena;
  const tokens = hoard.tokens.filter(({ server, depth, isBrief }) => server === front && depth < 2 && !isBrief);
  if (tokens.length === 0) return;
  const how = { server: front, byApp: true };
  const one = () => exchange(its, random.of(tokens), how);
  await Promise.all([one(), one(), one()]);
}

async function revokeOne(its: Race, level: Target['level']): Promise<void> {
  const { arena, hoard, random, recorded } = its;
  const { tokens, renewals } = hoard;
  if (tokens.length === 0) return;
  if (level === 'family' && renewals.length > 0) return endFamily(its);
  const { issued, presented } = random.of(tokens);
  const signingKeyId = level === 'signing_key' ? await aKeyOf(arena, random, recorded) : '';
  if (level === 'signing_key' && signingKeyId === '') return;
  const target = { ...targetOf(issued), level, signingKeyId, grantedAt: arena.front.audience };
  const rotating = random.next() < rotatingShareOf(level) ? rotate(arena, random, recorded) : null;
  await revoke(arena, target, random.of(presented).token, random, recorded);
  await rotating;
}

/** By using a refresh token more than once, or by revoking it. */
async function endFamily(its: Race): Promise<void> {
  const { arena, hoard, random, recorded } = its;
  const renewal = random.of(hoard.renewals);
  const { issued, token } = renewal;
  if (random.next() < 0.3) {
    const target = { ...targetOf(issued), level: 'family', tokenId: issued.parentId ?? issued.tokenId } as const;
    return revoke(arena, target, token, random, recorded);
  }
  await Promise.all(Array.from({ length: 3 }, () => refresh(its, renewal)));
}

async function newApp(arena: Arena, random: Random, recorded: Recorded): Promise<App | null> {
  const { registry, tenantId } = arena;
  const appId = randomName('app', random);
  const app = {
    appId,
    tenantId,
    clientType: ClientType.WEB,
    hostingType: HostingType.FIRST_PARTY,
    grants: grantsIn(arena),
    ...appSettings,
  };
  if (!(await attempt(recorded, 'CreateApp', () => registry.createApp({ app }, within)))) return null;
  const issued = await attempt(recorded, 'IssueCredential', () =>
    registry.issueCredential(credentialOf(appId), within),
  );
  return issued && { appId, credential: issued.credential, isPassing: true };
}

/** @returns its id; null where it was not recorded. */
async function consent(
  arena: Arena,
  { app, userId }: Omit<Holder, 'consentId'>,
  random: Random,
  recorded: Recorded,
): Promise<string | null> {
  const { tenantId } = arena;
  const request = {
    tenantId,
    appId: app.appId,
    userId,
    grants: grantsIn(arena),
    ttl: longerLife,
    idempotencyKey: randomName('consent', random),
  };
  const call = () => random.of(arena.consents).recordConsent(request, within);
  const consentId = (await attempt(recorded, 'RecordConsent', call))?.consent?.consentId;
  if (consentId === undefined) return null;
  recorded.consents.push({ tenantId, app, userId, consentId });
  return consentId;
}
