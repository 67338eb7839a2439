import { TokenMethod, Usage } from '@touchstone/contracts';
import type { TokenMethodName } from '@touchstone/core';
import { longLife } from '../harness/world.ts';
import { as, type Server, scopes, within } from './arena.ts';
import { type Held, keep, type Race, type Renewal } from './held.ts';
import { type Interval, type Issued, targetOf } from './history.ts';
import { noteFound, type Outcome, outcomeOf, type Recorded } from './recorded.ts';
import { reused, whileUsed } from './uses.ts';

export const methods: Readonly<Record<TokenMethodName, TokenMethod>> = {
  reference: TokenMethod.REFERENCE,
  encrypted: TokenMethod.ENCRYPTED,
  consent_key: TokenMethod.CONSENT_KEY,
  signed: TokenMethod.SIGNED,
  split: TokenMethod.SPLIT,
  attenuable: TokenMethod.ATTENUABLE,
};

/** By how much what is derived from a token lives less than that, in seconds: the clock may have been set back and ahead. */
const stepSeconds = 7_900n;
/** In seconds: the longest life of one that is verified without asking; and one that ends while it is raced. */
const briefSeconds = [60n, 2n];
const signedShare = 0.2;

/** Whom a token is exchanged to; by the app that holds it, or by the resource server that got it. */
export interface Exchange {
  readonly server: Server;
  readonly byApp: boolean;
}

export async function issue(race: Race, method: TokenMethodName, refreshable: boolean): Promise<void> {
  const { arena, holder, random, recorded } = race;
  const { app, userId, consentId } = holder;
  const request = {
    tenantId: arena.tenantId,
    appId: app.appId,
    userId,
    audience: arena.front.audience,
    scopes,
    usage: Usage.TEST,
    ttl: longLife,
    claims: { name: userId },
    method: methods[method],
    refreshable,
    ...(consentId === null ? {} : { consentId }),
  };
  const call = () => random.of(arena.issuers).issueToken(request, within);
  const { answer, interval } = await timed(() => outcomeOf(recorded, 'IssueToken', call, app.life));
  if (!answer) return;
  const depth = refreshable ? 1 : 0;
  const { front: server } = arena;
  const made = { interval, method, parentId: null, grantedAt: server.audience, server, depth, isBrief: false };
  keep(race, answer, made);
}

export async function exchange(
  race: Race,
  { issued, presented, server: source, depth }: Held,
  { server, byApp }: Exchange,
): Promise<void> {
  const { arena, holder, random, recorded } = race;
  const isBrief = random.next() < signedShare;
  const method = isBrief ? 'signed' : 'reference';
  const seconds = isBrief ? random.of(briefSeconds) : longLife.seconds - BigInt(depth + 1) * stepSeconds;
  // No request comes to an app, so it can't exchange what is narrowed to one.
  const exchangeable = byApp ? presented.filter(({ request }) => request === '') : presented;
  const request = {
    ...random.of(exchangeable),
    audience: server.audience,
    scopes,
    ttl: { seconds },
    method: methods[method],
  };
  const caller = byApp ? holder.app : source;
  const call = () => random.of(arena.anyonesIssuers).exchangeToken(request, as(caller));
  const outcome = await timed(() => outcomeOf(recorded, 'ExchangeToken', call, caller.life));
  noteTaken(issued, 'ExchangeToken', outcome, recorded);
  const { answer, interval } = outcome;
  if (!answer) return;
  const grantedAt = byApp ? server.audience : null;
  const made = { interval, method, parentId: issued.tokenId, grantedAt, server, depth: depth + 1, isBrief } as const;
  keep(race, answer, made);
}

/** Uses a refresh token. One that was used before takes its family with it. */
export async function refresh(race: Race, renewal: Renewal): Promise<void> {
  const { arena, holder, random, recorded } = race;
  const { app } = holder;
  const { issued, method, token: refreshToken, uses } = renewal;
  const request = { refreshToken, ttl: longLife };
  const call = () => random.of(arena.anyonesIssuers).refreshToken(request, as(app));
  const parentId = issued.parentId ?? issued.tokenId;
  const target = { ...targetOf(issued), level: 'family', tokenId: parentId } as const;
  const outcome = await whileUsed(recorded, uses, target, () =>
    timed(() => outcomeOf(recorded, 'RefreshToken', call, app.life)),
  );
  const { answer, reason, interval } = outcome;
  if (reason === reused) {
    // Which revision it was nobody tells.
    const start = Math.max(interval.start, Math.min(uses.secondAt, interval.end));
    recorded.events.push({ type: 'revoked', target, start, end: interval.end, revision: Infinity });
  }
  noteTaken(issued, 'RefreshToken', outcome, recorded);
  if (!answer) return;
  const { front: server } = arena;
  const made = { interval, method, parentId, grantedAt: server.audience, server, depth: 1, isBrief: false };
  keep(race, answer, made);
}

async function timed<Result>(call: () => Promise<Result>): Promise<Result & { readonly interval: Interval }> {
  const start = performance.now();
  const result = await call();
  return { ...result, interval: { start, end: performance.now() } };
}

/** With these an issuer says that a token is not honoured any more. */
const refusals = ['TOKEN_NOT_HONOURED', 'CONSENT_ENDED', 'DISABLED'];

/** What an issuer says of a token by making another out of it, or not. */
function noteTaken(
  { tokenId }: Issued,
  by: string,
  { answer, reason, interval }: Outcome<unknown> & { readonly interval: Interval },
  recorded: Recorded,
): void {
  const active = answer !== null;
  if (active || refusals.includes(reason)) noteFound(recorded, { ...interval, tokenId, by, active });
}
