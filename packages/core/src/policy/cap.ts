import { type Confirmation, type ConfirmationKind, confirmationKind } from '../tokens/confirmation.ts';
import type { TokenMethodName } from '../tokens/token-record.ts';
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
  /** In no order that means anything: by what, by whose cap. */
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

function withinEach(caps: readonly Cap[], asked: Wanted): Granted {
  const excess: Excess[] = [];
  const scopes = [...new Set(asked.scopes)].filter((scope) => {
    const before = excess.length;
    for (const { by, scopes: allowed } of caps) {
      if (allowed && !allowed.has(scope)) excess.push({ by, what: 'scope', asked: scope, allowed: '' });
    }
    return excess.length === before;
  });
  let ttl = asked.ttl ?? ttlDefault;
  for (const cap of caps) {
    if (cap.ofScope !== undefined && !asked.scopes.includes(cap.ofScope)) continue;
    if (cap.ttlMax != null && asked.ttl !== null && asked.ttl > cap.ttlMax) {
      excess.push({ by: cap.by, what: 'ttl', asked: String(asked.ttl), allowed: String(cap.ttlMax) });
    }
    ttl = Math.min(ttl, cap.ttlMax ?? ttl);
    pushOthers(excess, cap, asked);
  }
  return { scopes, ttl, excess, liveTokens: strictest(caps.map(({ liveTokens }) => liveTokens ?? null)) };
}

/** What there is no less of to be had: beyond one of these there is nothing. */
function pushOthers(excess: Excess[], { by, methods, confirmations, consentAgeMax }: Cap, asked: Wanted): void {
  if (methods && !methods.includes(asked.method)) {
    excess.push({ by, what: 'method', asked: asked.method, allowed: methods.join(' ') });
  }
  if (confirmations) {
    const kind = asked.confirmation && confirmationKind(asked.confirmation);
    if (!kind || !confirmations.includes(kind)) {
      excess.push({ by, what: 'confirmation', asked: kind ?? 'none', allowed: confirmations.join(' ') });
    }
  }
  if (consentAgeMax != null && asked.consentAge !== null && asked.consentAge > consentAgeMax) {
    excess.push({ by, what: 'consent', asked: String(asked.consentAge), allowed: String(consentAgeMax) });
  }
}
