import type { ClientType, HostingType, Sensitivity } from '../register/registration.ts';
import type { ConfirmationKind } from '../tokens/confirmation.ts';
import type { TokenMethodName, Usage } from '../tokens/token-record.ts';

/** Whom and what a token is for, as far as policies tell tokens apart. */
export interface Dimensions {
  readonly clientType: ClientType;
  readonly hostingType: HostingType;
  readonly usage: Usage;
  readonly audience: string;
  readonly environment: string;
}

/** The values of each dimension that a rule is about; null: all of them. */
export type Match = { readonly [Dimension in keyof Dimensions]: readonly Dimensions[Dimension][] | null };

/** What a rule lets tokens have at most. Null: it says nothing of that. */
export interface Limits {
  readonly scopes: readonly string[] | null;
  /** Scopes that would do more harm are not to be had. */
  readonly sensitivityMax: Sensitivity | null;
  /** Seconds. */
  readonly ttlMax: number | null;
  readonly methods: readonly TokenMethodName[] | null;
  /** What the holder must prove to have: one of these. */
  readonly confirmations: readonly ConfirmationKind[] | null;
  /** How long ago the user's consent may have been recorded: seconds. */
  readonly consentAgeMax: number | null;
  readonly liveTokens: LiveTokensLimit | null;
}

/** How many tokens of an app and a user may be alive at once, of those that were issued under such a limit. */
export interface LiveTokensLimit {
  readonly max: number;
  /** What makes room for one more: nothing, or the end of the oldest. */
  readonly onMax: 'refuse' | 'revoke_oldest';
}

export interface Rule {
  /** Unique in its policy. */
  readonly ruleId: string;
  /** For people. */
  readonly description: string;
  readonly match: Match;
  readonly limits: Limits;
  /** Whether it holds for tokens that were issued before it as well. Absent: it does not. */
  readonly holdsForIssuedTokens?: boolean;
}

export const holdsForIssued = ({ holdsForIssuedTokens }: Rule): boolean => holdsForIssuedTokens === true;

/**
 * What a tenant lets its apps have. Every rule that is about a token limits it; a token that no rule is about can't be had.
 * So rules only ever narrow, and whatever nobody thought of is refused.
 */
export interface Policy {
  readonly tenantId: string;
  /** Rises by one with each change; 0: nobody has made any. */
  readonly version: number;
  readonly rules: readonly Rule[];
}

/** What is no limit. */
export const unlimited: Limits = {
  scopes: null,
  sensitivityMax: null,
  ttlMax: null,
  methods: null,
  confirmations: null,
  consentAgeMax: null,
  liveTokens: null,
};

/** All of them as one: what keeps to it keeps to each, and the other way around. */
export function commonLimits(limits: readonly Limits[]): Limits {
  let { scopes, sensitivityMax, ttlMax, methods, confirmations, consentAgeMax, liveTokens } = unlimited;
  for (const more of limits) {
    scopes = common(scopes, more.scopes);
    sensitivityMax = least(sensitivityMax, more.sensitivityMax, isLessHarm);
    ttlMax = least(ttlMax, more.ttlMax);
    methods = common(methods, more.methods);
    confirmations = common(confirmations, more.confirmations);
    consentAgeMax = least(consentAgeMax, more.consentAgeMax);
    liveTokens = least(liveTokens, more.liveTokens, isStricter);
  }
  return { scopes, sensitivityMax, ttlMax, methods, confirmations, consentAgeMax, liveTokens };
}

const isLessHarm = (one: Sensitivity, other: Sensitivity): boolean => harmOf[one] <= harmOf[other];

/** The one that lets the fewest be alive; null: there is none. */
export const strictest = (limits: readonly (LiveTokensLimit | null)[]): LiveTokensLimit | null =>
  limits.reduce((some, more) => least(some, more, isStricter), null);

const isStricter = (one: LiveTokensLimit, other: LiveTokensLimit): boolean =>
  one.max < other.max || (one.max === other.max && one.onMax === 'refuse');

/** Sensitivities in their order. */
export const harmOf: Readonly<Record<Sensitivity, number>> = { low: 0, normal: 1, high: 2 };

function common<Value>(some: readonly Value[] | null, more: readonly Value[] | null): readonly Value[] | null {
  if (!some || !more) return some ?? more;
  const among = new Set(more);
  return some.every((value) => among.has(value)) ? some : some.filter((value) => among.has(value));
}

function least<Value>(
  some: Value | null,
  more: Value | null,
  isAtMost = (one: Value, other: Value): boolean => one <= other,
): Value | null {
  if (some === null || more === null) return some ?? more;
  return isAtMost(some, more) ? some : more;
}

const anything: Match = { clientType: null, hostingType: null, usage: null, audience: null, environment: null };

/** What counts where a policy was written by somebody else: nothing may be had, and nothing that there is holds. */
export const nothingAllowed: readonly Rule[] = [
  {
    ruleId: 'nothing',
    description: 'The policy in the database was not written under the key of this installation',
    match: anything,
    limits: { ...unlimited, scopes: [] },
    holdsForIssuedTokens: true,
  },
];

/** What a tenant has that never made a policy: one rule, about everything, that limits nothing. */
export const defaultPolicy = (tenantId: string): Policy => ({
  tenantId,
  version: 0,
  rules: [
    {
      ruleId: 'default',
      description: 'Nothing but what tenant, app, resource server and consent say',
      match: anything,
      limits: unlimited,
    },
  ],
});
