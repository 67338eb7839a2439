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
}

export interface Rule {
  /** Unique in its policy. */
  readonly ruleId: string;
  /** For people. */
  readonly description: string;
  readonly match: Match;
  readonly limits: Limits;
}

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

/** What a tenant has that never made a policy: one rule, about everything, that limits nothing. */
export const defaultPolicy = (tenantId: string): Policy => ({
  tenantId,
  version: 0,
  rules: [
    {
      ruleId: 'default',
      description: 'Nothing but what tenant, app, resource server and consent say',
      match: { clientType: null, hostingType: null, usage: null, audience: null, environment: null },
      limits: {
        scopes: null,
        sensitivityMax: null,
        ttlMax: null,
        methods: null,
        confirmations: null,
        consentAgeMax: null,
      },
    },
  ],
});
