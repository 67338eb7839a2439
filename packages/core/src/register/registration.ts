import type { TokenMethodName } from '../tokens/token-record.ts';

export type ClientType = 'service' | 'web' | 'native' | 'browser' | 'partner';
export type HostingType = 'first_party' | 'customer_cloud' | 'partner_cloud' | 'on_premises' | 'end_user_device';

/**
 * What a caller shows in place of a credential: that it has the private half of this key, a JWK (RFC 7517) in JSON, or a
 * certificate: this one, by its SHA-256 in base64url, or any with this SPIFFE id.
 */
export type CallerProof = { readonly jwk: string } | { readonly certificate: string } | { readonly spiffeId: string };

/** How a caller shows who it is, in place of a credential, and what it may do then. */
export type CallerIdentity = CallerProof & { readonly scopes: readonly string[] };

/** A tenant's service that knows its users, and shows who it is without a credential. */
export interface IdentityService {
  readonly name: string;
  readonly identities: readonly CallerIdentity[];
}

/** An organisation. */
export interface Tenant {
  readonly tenantId: string;
  readonly displayName: string;
  /** Seconds. */
  readonly tokenTtlMax: number;
  /** How many tokens its apps get a minute, all together; null: as many as they ask for. */
  readonly tokensPerMinuteMax: number | null;
  /** Whether its first-party apps get tokens for users without their consent. */
  readonly firstPartyWithoutConsent: boolean;
  /** Absent: none. */
  readonly identityServices?: readonly IdentityService[];
}

/** What an app may ask for at one resource server. */
export interface AppGrant {
  readonly audience: string;
  readonly scopes: readonly string[];
}

/** How refresh tokens live. All in seconds. */
export interface RefreshPolicy {
  /** From the first token of a family on. */
  readonly ttlMax: number;
  /** How long one may lie unused. */
  readonly idleMax: number;
  /** How long after its use a call that is repeated gets the same answer. */
  readonly grace: number;
}

/** A client that gets tokens. */
export interface App {
  readonly appId: string;
  readonly tenantId: string;
  readonly displayName: string;
  readonly clientType: ClientType;
  readonly hostingType: HostingType;
  readonly grants: readonly AppGrant[];
  readonly methods: readonly TokenMethodName[];
  /** How its tokens for users may be renewed; null: not at all. */
  readonly refresh: RefreshPolicy | null;
  /** What it is run for, in the tenant's own words. */
  readonly environment: string;
  /** How many tokens it gets a minute; null: as many as it asks for. */
  readonly tokensPerMinuteMax: number | null;
  /** Seconds; null: the tenant's. */
  readonly tokenTtlMax: number | null;
  /** How it shows who it is, in place of a credential. Absent: not at all. */
  readonly identities?: readonly CallerIdentity[];
}

/** How much harm a scope does in the wrong hands. */
export type Sensitivity = 'low' | 'normal' | 'high';

export interface Scope {
  readonly name: string;
  readonly description: string;
  readonly sensitivity: Sensitivity;
  /** Of the tokens that have it, in seconds; null: the resource server's. */
  readonly tokenTtlMax: number | null;
}

/** Lets tokens for one resource server be exchanged to tokens for another. */
export interface ExchangeEdge {
  /** Where it leads to. */
  readonly audience: string;
  /** Which scope there takes which scope here. */
  readonly scopes: readonly { readonly from: string; readonly to: string }[];
}

/** An API that accepts tokens. */
export interface ResourceServer {
  readonly audience: string;
  readonly tenantId: string;
  readonly displayName: string;
  readonly scopes: readonly Scope[];
  readonly releasedClaims: readonly string[];
  /** In whose terms it is told who the user is; null: by the user's id. */
  readonly pairwiseSector: string | null;
  /** Its public key as a JWK (RFC 7517), as JSON, to which SIGNED tokens for it are encrypted; null: they are not. */
  readonly encryptionJwk: string | null;
  /** Where tokens for it may be exchanged to. */
  readonly exchanges: readonly ExchangeEdge[];
  /** Who answers for it. */
  readonly owners: readonly string[];
  /** Seconds; null: the tenant's. */
  readonly tokenTtlMax: number | null;
  /** How old what an answer rests on may be: seconds. Absent: as old as the call allows. */
  readonly stalenessMax?: number | null;
  /** How it shows who it is, in place of a credential. Absent: not at all. */
  readonly identities?: readonly CallerIdentity[];
}

/** What can be registered, by its kind. */
export interface Entries {
  readonly tenant: Tenant;
  readonly app: App;
  readonly resource_server: ResourceServer;
}

export type RegisteredKind = keyof Entries;

/** What is registered, with its kind. */
export type Registered<Kind extends RegisteredKind = RegisteredKind> = {
  readonly [K in Kind]: { readonly what: K; readonly entry: Entries[K] };
}[Kind];

/** The id of an entry, unique in the installation for its kind. */
export function registeredId<Kind extends RegisteredKind>(what: Kind, entry: Entries[Kind]): string {
  const registered = { what, entry } as Registered;
  switch (registered.what) {
    case 'tenant':
      return registered.entry.tenantId;
    case 'app':
      return registered.entry.appId;
    case 'resource_server':
      return registered.entry.audience;
  }
}

/** The longest life of a token that any installation grants, in seconds: 90 days. Its partitions are made that far ahead. */
export const platformTtlMax = 7_776_000;
/** The longest life of a tenant's tokens where the tenant says nothing, in seconds. */
export const tenantTtlDefault = 3_600;
