import { setTimeout as sleep } from 'node:timers/promises';
import { ClientType, HostingType } from '@touchstone/contracts';
import { ancestorsMax, type TokenMethodName } from '@touchstone/core';
import { longLife } from '../harness/world.ts';
import { type App, type Arena, exchangesTo, grantsIn, passingLife, type Server, scopes, within } from './arena.ts';
import type { Hoard, Holder, Race } from './held.ts';
import { type Level, type Target, targetOf } from './history.ts';
import { exchange, issue, methods, refresh } from './issuing.ts';
import type { Racing } from './patches.ts';
import type { Random } from './random.ts';
import { attempt, type Recorded } from './recorded.ts';
import { aKeyOf, type Followed, randomName, revoke, rotate, untilComplete } from './revoking.ts';
import { validate, validateOld } from './validating.ts';

const userIds = ['ada', 'bob', 'eve'];
const all = Object.keys(methods) as readonly TokenMethodName[];
const withoutConsent = all.filter((name) => name !== 'consent_key');
const signed: readonly TokenMethodName[] = ['encrypted', 'signed', 'split'];
/** Of consents: no token outlives its own, whatever the clocks say. And of families. */
const longerLife = { seconds: 2n * longLife.seconds };
/** In how many of the races the signing key is rotated. */
const rotatingShareOf = (level: Target['level']): number => (level === 'signing_key' ? 0.5 : 0.05);
/** How many take a consent from before, be it one that has been withdrawn, and of how many. */
const [earlierShare, earlierMax] = [0.1, 80];
/** In how many the tokens can be renewed. */
const renewableShareOf = (level: Target['level']): number => (level === 'family' ? 1 : 0.3);
/** In how many tokens are derived from others: of what a grant allowed nothing else revokes these. */
const derivingShareOf = (level: Target['level']): number => (level === 'grant' ? 1 : 0.3);
/** How many before the revocation, and while it is under way, at most. */
const [derivedMax, meanwhileMax] = [4, 2];
/**
 * Milliseconds: for so long nothing wider than an app is revoked, so that what is old may be alive; then, for as long, that comes twice
 * as often.
 */
const quietMilliseconds = 20_000;
/** How many tokens that may be alive are left to be presented by other races. */
const leftMax = 100;
/** Levels at which anything can be revoked; and those that take preparations, one in a race, each as often as it says. */
const narrowLevels = ['token', 'user', 'app_user', 'app'] as const;
const wideLevels = ['tenant', 'all'] as const;
const particularLevels = Object.entries({
  consent: 21,
  signing_key: 23,
  family: 35,
  disabled_app: 21,
} as const).flatMap(([level, times]) => Array.from({ length: times }, () => level as Level));
/** One more, with which so many of the races of these others end; a family ends in half of its own. */
const [serverShare, levelsBeforeServer] = [0.36, ['signing_key', 'family']];
/** In how many races they come; with up to so many others, each level comes as often as every other. */
const [grantShare, particularShare, othersMax] = [0.03, 0.88, 2];
/** Nothing can be issued after these. */
const lastLevels: readonly Target['level'][] = ['consent', 'disabled_app', 'grant'];
/** Nothing can be issued after these for the resource server in front. */
const lastOfServer: readonly Target['level'][] = ['grant', 'disabled_server'];
const usualFollowedShare = 0.03;

/** Each comes as often as every other, in the end. */
function plainLevels(): readonly Level[] {
  const isQuiet = Math.floor(performance.now() / quietMilliseconds) % 2 === 0;
  return isQuiet ? narrowLevels : [...narrowLevels, ...Array.from({ length: 4 }, () => wideLevels).flat()];
}
/** How many of the exchanges an app asks for. */
const byAppShare = 0.4;

/** What apps are registered with. */
export const appSettings = { methods: Object.values(methods), refresh: { ttlMax: longerLife } };

/** What resource servers that pass on to another one are registered with. */
export const serverSettings = (passesTo: Server) => ({
  scopes: scopes.map((name) => ({ name })),
  exchanges: exchangesTo(passesTo),
});

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
export async function race(
  shared: Arena,
  random: Random,
  recorded: Recorded,
  { favoured, followedShare = usualFollowedShare, restMilliseconds = 0 }: Racing = {},
): Promise<void> {
  const { level, order } = drawLevels(random, favoured);
  const arena = order.includes('disabled_server') ? await withNewServer(shared, random, recorded) : shared;
  const holder = arena && (await holderFor(level, arena, random, recorded));
  if (!holder) return;
  const hoard: Hoard = { tokens: [], renewals: [] };
  const its: Race = { arena, holder, hoard, random, recorded };
  const isRenewable = random.next() < renewableShareOf(level);
  const issueOne = () => issue(its, methodFor(level, holder, random), isRenewable);
  const isDeriving = random.next() < derivingShareOf(level);
  const deriveOne = async () => {
    if (isDeriving) await derive(its);
  };
  await issueOne();
  let isOver = false;
  const validating = (async () => {
    while (!isOver) {
      await validate(its);
      if (restMilliseconds > 0) await sleep(random.next() * restMilliseconds);
    }
  })();
  for (let left = random.below(derivedMax + 1); left > 0; left--) await deriveOne();
  let followed: Followed | null = null;
  for (const one of order) {
    const meanwhile = [issueOne(), ...Array.from({ length: random.below(meanwhileMax + 1) }, deriveOne)];
    await sleep(random.next() * 30);
    followed = (await revokeOne(its, one)) ?? followed;
    if (lastOfServer.includes(one)) await useFront(its);
    await Promise.all(meanwhile);
  }
  await Promise.all([issueOne(), deriveOne(), sleep(random.next() * 50)]);
  const isFollowed = random.next() < followedShare;
  if (isFollowed && followed && (await untilComplete(arena, followed, random, recorded))) {
    await Promise.all(arena.validators.map((one) => validateOld(its, one)));
  }
  for (let i = 0; i < 4; i++) await validate(its);
  isOver = true;
  await validating;
  leaveLast(its);
}

/** The one that was made last: after everything else was revoked. */
function leaveLast({ hoard, recorded }: Race): void {
  const last = hoard.tokens.at(-1);
  // What calls, and what it is for, must be there for as long.
  if (last && !last.isBrief && last.server.life.since === null)
    recorded.left = [...recorded.left, last].slice(-leftMax);
}

/** What a race is about, and at which levels something is revoked in it, one after the other. */
interface Course {
  readonly level: Target['level'];
  readonly order: readonly Target['level'][];
}

function drawLevels(random: Random, favoured: Target['level'] | undefined): Course {
  const others = Array.from({ length: random.below(othersMax + 1) }, () => random.of(plainLevels()));
  const level = favoured !== undefined && random.next() < 0.5 ? favoured : drawLevel(random);
  if (lastLevels.includes(level)) return { level, order: [...others, level] };
  const isServerLast = levelsBeforeServer.includes(level) && random.next() < serverShare;
  return { level, order: [level, ...others, ...(isServerLast ? (['disabled_server'] as const) : [])] };
}

function drawLevel(random: Random): Target['level'] {
  const draw = random.next();
  if (draw < grantShare) return 'grant';
  return random.of(draw < grantShare + particularShare ? particularLevels : plainLevels());
}

/** Null where there can be no race. */
async function holderFor(
  level: Target['level'],
  arena: Arena,
  random: Random,
  recorded: Recorded,
): Promise<Holder | null> {
  const earlier = recorded.consents.filter(({ tenantId }) => tenantId === arena.tenantId);
  const isOfNew = level === 'disabled_app' || level === 'grant' || arena.front.life.since !== null;
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
  const unused = hoard.renewals.filter(({ uses }) => uses.count === 0);
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

/** What the app may not do any more once it has lost its grant, or the resource server in front is gone. */
async function useFront(its: Race): Promise<void> {
  const { arena, hoard, random } = its;
  const { front } = arena;
  const tokens = hoard.tokens.filter(({ server, depth, isBrief }) => server === front && depth < 2 && !isBrief);
  if (tokens.length === 0) return;
  const how = { server: front, byApp: true };
  const one = () => exchange(its, random.of(tokens), how);
  await Promise.all([one(), one(), one()]);
}

/** @returns what can be looked up; null where nothing was told. */
async function revokeOne(its: Race, level: Target['level']): Promise<Followed | null> {
  const { arena, hoard, random, recorded } = its;
  const { tokens, renewals } = hoard;
  if (tokens.length === 0) return null;
  if (level === 'family' && renewals.length > 0) return endFamily(its);
  const { issued, presented } = random.of(tokens);
  const signingKeyId = level === 'signing_key' ? await aKeyOf(arena, random, recorded) : '';
  if (level === 'signing_key' && signingKeyId === '') return null;
  const { audience } = arena.front;
  const target = { ...targetOf(issued), level, signingKeyId, audience, grantedAt: audience };
  if (level === 'disabled_app' || level === 'grant') its.holder.app.life.isEnding = true;
  if (level === 'disabled_server') arena.front.life.isEnding = true;
  const rotating = random.next() < rotatingShareOf(level) ? rotate(arena, random, recorded) : null;
  const revoked = await revoke(arena, target, random.of(presented).token, random, recorded);
  await rotating;
  return revoked;
}

/** By using a refresh token more than once, or by revoking it. */
async function endFamily(its: Race): Promise<Followed | null> {
  const { arena, hoard, random, recorded } = its;
  const renewal = random.of(hoard.renewals);
  const { issued, token } = renewal;
  if (random.next() < 0.3) {
    const target = { ...targetOf(issued), level: 'family', tokenId: issued.parentId ?? issued.tokenId } as const;
    return revoke(arena, target, token, random, recorded);
  }
  await Promise.all(Array.from({ length: 3 }, () => refresh(its, renewal)));
  return null;
}

/** The arena, with a resource server in front that is the race's alone. */
async function withNewServer(arena: Arena, random: Random, recorded: Recorded): Promise<Arena | null> {
  const { registry, tenantId, back } = arena;
  const audience = `https://${randomName('api', random)}.example.com`;
  const life = passingLife();
  const resourceServer = { audience, tenantId, ...serverSettings(back) };
  const create = () => registry.createResourceServer({ resourceServer }, within);
  if (!(await attempt(recorded, 'CreateResourceServer', create))) return null;
  const principal = { case: 'resourceServer', value: { audience } } as const;
  const request = { principal, scopes: ['tokens:validate'], ttl: longLife };
  const issued = await attempt(recorded, 'IssueCredential', () => registry.issueCredential(request, within));
  return issued && { ...arena, front: { audience, credential: issued.credential, life, isGone: false } };
}

async function newApp(arena: Arena, random: Random, recorded: Recorded): Promise<App | null> {
  const { registry, tenantId } = arena;
  const appId = randomName('app', random);
  const life = passingLife();
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
  return issued && { appId, credential: issued.credential, life };
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
  // Other races have another server in front.
  if (arena.front.life.since === null) {
    recorded.consents = [...recorded.consents, { tenantId, app, userId, consentId }].slice(-earlierMax);
  }
  return consentId;
}
