/** The kinds of callers. */
export type CallerKind = 'identity_service' | 'app' | 'resource_server' | 'operator' | 'auditor';

/** Whom a credential is for, as it is sealed into the credential. */
export interface Principal {
  readonly kind: CallerKind;
  /** Who, within its kind: an app's id, a resource server's audience, else a name. */
  readonly name: string;
  /** The tenants it may act in. */
  readonly tenantIds: readonly string[];
}

/** Who calls: a principal that has shown its credential. */
export interface Caller extends Principal {
  readonly scopes: readonly string[];
  /** The token id of the credential. */
  readonly credentialId: string;
  /** When the credential ends: milliseconds since 1970, by the database's clock. */
  readonly credentialExpiresAt: number;
}

/** Tells that nobody waits for the answer any more. An AbortSignal is one. */
export interface Signal {
  readonly aborted: boolean;
}

/** Who does something, from where, and as part of what: the first argument of every use case. */
export interface Act {
  readonly caller: Caller;
  /** The address the call came from. */
  readonly peer: string;
  /** W3C Trace Context trace id: 32 hexadecimal digits. */
  readonly traceId: string;
  /** Set once the caller has gone or the deadline has passed: what has not been started then, is not. */
  readonly signal?: Signal;
}
