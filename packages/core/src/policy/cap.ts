import { type Confirmation, type ConfirmationKind, confirmationKind, confirmationOf } from '../tokens/confirmation.ts';
import type { TokenMethodName, TokenRecord } from '../tokens/token-record.ts';
import { type LiveTokensLimit, strictest } from './policy.ts';

/** One limit among all that apply: what is granted is within each of them. What it says nothing of, it does not limit. */
export interface Cap {
  /** Whose it is, for people: `app`, `rule batch-jobs`. */
  readonly by: string;
  /** It applies only where this scope is asked for: whether or not it is granted, or who loses it would live the longer. */
  readonly ofScope?: string;
  readonly scopes?: ReadonlySet<string> | null;
  /** Seconds. */
  readonly ttlMax?: number | null;
  readonly methods?: readonly TokenMethodName[] | null;
  /** What the holder must prove to have: one of these. */
  readonly confirmations?: readonly ConfirmationKind[] | null;
  /** How long ago the user's consent may have been recorded: seconds. */
  readonly consentAgeMax?: number | null;
  /** How many tokens of the app and its user may be alive at once. */
  readonly liveTokens?: LiveTokensLimit | null;
  /** The caps that it says in one: looked at where something is beyond it, to tell whose limit that is. */
  readonly parts?: () => readonly Cap[];
}

/** What is asked for, out of what caps limit. */
export interface Wanted {
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every cap allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  readonly confirmation: Confirmation | null;
  /** How long ago the user's consent was recorded: seconds; null: there is none. */
  readonly consentAge: number | null;
}

/** Something that was asked for and is beyond a cap. */
export interface Excess {
  readonly by: string;
  readonly what: 'scope' | 'ttl' | 'method' | 'confirmation' | 'consent';
  /** What was asked for: a scope, seconds, a method; of the rest: what there is. */
  readonly asked: string;
  /** What would have been allowed, where that is not `nothing of it`: seconds, methods, kinds of confirmation. */
  readonly allowed: string;
}

export interface Granted {
  /** In the order in which they were asked for, each once. */
  readonly scopes: readonly string[];
  /** Seconds. */
  readonly ttl: number;
  /** Each thing once, with one of the caps that it is beyond: of limits in numbers the least. */
  readonly excess: readonly Excess[];
  /** How many may be alive at once, this one included; null: any number. */
  readonly liveTokens: LiveTokensLimit | null;
}

/** Seconds. */
export const ttlDefault = 900;

/** What is asked for, within every cap; and what that leaves out. No cap widens, whatever their number and order. */
export function within(caps: readonly Cap[], asked: Wanted): Granted {
  const granted = withinEach(caps, asked);
  if (granted.excess.length === 0) return granted;
  return withinEach(
    caps.flatMap((cap) => cap.parts?.() ?? [cap]),
    asked,
  );
}

/**
 * Whether a token that is there was granted more than a cap allows. How old its consent was, and how many others were alive,
 * its record does not tell: caps on these hold for the issue alone.
 */
export function isBeyond(cap: Cap, { scopes, issuedAt, expiresAt, method, confirmation }: TokenRecord): boolean {
  const ttl = Math.floor((expiresAt - issuedAt) / 1_000);
  const bound = confirmation === null ? null : confirmationOf(confirmation);
  return withinEach([cap], { scopes, ttl, method, confirmation: bound, consentAge: null }).excess.length > 0;
}

function withinEach(caps: readonly Cap[], asked: Wanted): Granted {
  const excess: Excess[] = [];
  const scopes = [...new Set(asked.scopes)].filter((scope) => {
    const beyond = caps.find((cap) => cap.scopes && !cap.scopes.has(scope));
    if (beyond) excess.push({ by: beyond.by, what: 'scope', asked: scope, allowed: '' });
    return !beyond;
  });
  const applying = caps.filter(({ ofScope }) => ofScope === undefined || asked.scopes.includes(ofScope));
  const shortest = leastOf(applying, ({ ttlMax }) => ttlMax);
  if (shortest && asked.ttl !== null && asked.ttl > shortest.value) {
    excess.push({ by: shortest.by, what: 'ttl', asked: String(asked.ttl), allowed: String(shortest.value) });
  }
  pushOthers(excess, applying, asked);
  return {
    scopes,
    ttl: Math.min(asked.ttl ?? ttlDefault, shortest?.value ?? Infinity),
    excess,
    liveTokens: strictest(caps.map(({ liveTokens }) => liveTokens ?? null)),
  };
}

/** What there is no less of to be had: beyond one of these there is nothing. */
function pushOthers(excess: Excess[], caps: readonly Cap[], { method, confirmation, consentAge }: Wanted): void {
  const ofMethod = caps.find(({ methods }) => methods && !methods.includes(method));
  if (ofMethod) {
    excess.push({ by: ofMethod.by, what: 'method', asked: method, allowed: (ofMethod.methods ?? []).join(' ') });
  }
  const kind = confirmation && confirmationKind(confirmation);
  const ofBinding = caps.find(({ confirmations }) => confirmations && !(kind && confirmations.includes(kind)));
  if (ofBinding) {
    const allowed = (ofBinding.confirmations ?? []).join(' ');
    excess.push({ by: ofBinding.by, what: 'confirmation', asked: kind ?? 'none', allowed });
  }
  const youngest = leastOf(caps, ({ consentAgeMax }) => consentAgeMax);
  if (youngest && consentAge !== null && consentAge > youngest.value) {
    excess.push({ by: youngest.by, what: 'consent', asked: String(consentAge), allowed: String(youngest.value) });
  }
}

/** The cap that says the least; null: none says anything. */
function leastOf(
  caps: readonly Cap[],
  numberOf: (cap: Cap) => number | null | undefined,
): { readonly by: string; readonly value: number } | null {
  let least: { readonly by: string; readonly value: number } | null = null;
  for (const cap of caps) {
    const value = numberOf(cap);
    if (value != null && value < (least?.value ?? Infinity)) least = { by: cap.by, value };
  }
  return least;
}
