/** Every failure that a caller can act on; the edge has one row for each in its table of statuses. */
export type ErrorCode =
  | 'invalid_field'
  | 'caller_unknown'
  | 'caller_not_allowed'
  | 'tenant_unknown'
  | 'app_unknown'
  | 'audience_unknown'
  | 'consent_unknown'
  | 'consent_required'
  | 'consent_ended'
  | 'consent_too_old'
  | 'confirmation_required'
  | 'signing_key_unknown'
  | 'token_not_honoured'
  | 'exchange_not_allowed'
  | 'exchange_too_deep'
  | 'refresh_not_allowed'
  | 'refresh_token_reused'
  | 'etag_stale'
  | 'token_unknown'
  | 'revocation_unknown'
  | 'revision_unknown'
  | 'disabled'
  | 'policy_unknown'
  | 'erasure_unknown'
  | 'not_disabled'
  | 'scope_not_allowed'
  | 'ttl_too_long'
  | 'method_not_allowed'
  | 'claim_reserved'
  | 'claims_too_large'
  | 'token_too_long'
  | 'already_exists'
  | 'idempotency_key_reused'
  | 'credential_not_allowed'
  | 'rate_exceeded'
  | 'too_many_tokens'
  | 'too_many_signing_keys'
  | 'store_unavailable'
  | 'fenced'
  | 'overloaded'
  | 'deadline_exceeded'
  | 'cancelled'
  | 'internal';

/**
 * A failure with a stable code. Messages and metadata never hold a token, a key, a claim value or SQL: they reach the
 * caller and the log as they are.
 */
export abstract class TouchstoneError extends Error {
  abstract readonly code: ErrorCode;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, metadata: Readonly<Record<string, string>> = {}, options?: ErrorOptions) {
    super(message, options);
    this.metadata = metadata;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

export class InvalidField extends TouchstoneError {
  readonly code = 'invalid_field';
  /** @param rule what would be right, to stand after the field's name: `must be ...`. */
  constructor(field: string, rule: string) {
    super(`${field} ${rule}`, { field, rule });
  }
}

/** No credential, or one that is not honoured: which of the two is nobody's business. */
export class CallerUnknown extends TouchstoneError {
  readonly code = 'caller_unknown';
  constructor() {
    super(
      'send a credential or an assertion that is honoured, as the metadata "authorization: Bearer <credential>", or a registered certificate and the metadata "touchstone-client"',
    );
  }
}

export class CallerNotAllowed extends TouchstoneError {
  readonly code = 'caller_not_allowed';
}

export class TenantUnknown extends TouchstoneError {
  readonly code = 'tenant_unknown';
  constructor(field = 'tenant_id') {
    super('there is no such tenant', { field });
  }
}

export class AppUnknown extends TouchstoneError {
  readonly code = 'app_unknown';
  constructor(field = 'app_id') {
    super('the tenant has no such app', { field });
  }
}

export class AudienceUnknown extends TouchstoneError {
  readonly code = 'audience_unknown';
  constructor(field = 'audience') {
    super('the tenant has no resource server with this audience', { field });
  }
}

export class ConsentUnknown extends TouchstoneError {
  readonly code = 'consent_unknown';
  constructor(field = 'consent_id') {
    super('the user has given the app no such consent', { field });
  }
}

export class ConsentRequired extends TouchstoneError {
  readonly code = 'consent_required';
  constructor() {
    super("a token for a user takes that user's consent to the app", { field: 'consent_id' });
  }
}

export class ConsentEnded extends TouchstoneError {
  readonly code = 'consent_ended';
  constructor() {
    super('the consent has been withdrawn, or has expired', { field: 'consent_id' });
  }
}

export class SigningKeyUnknown extends TouchstoneError {
  readonly code = 'signing_key_unknown';
  constructor() {
    super('there is no such signing key', { field: 'target.signing_key_id' });
  }
}

/** Why it is not honoured is nobody's business who may not ask. */
export class TokenNotHonoured extends TouchstoneError {
  readonly code = 'token_not_honoured';
  constructor(field = 'token') {
    super('the token is not honoured here', { field });
  }
}

export class ExchangeNotAllowed extends TouchstoneError {
  readonly code = 'exchange_not_allowed';
  constructor() {
    super('tokens of this audience are not exchanged to the one asked for', { field: 'audience' });
  }
}

export class ExchangeTooDeep extends TouchstoneError {
  readonly code = 'exchange_too_deep';
  constructor(depthMax: number) {
    super(`a token has at most ${depthMax} others that it was made out of`, {
      field: 'token',
      max_depth: String(depthMax),
    });
  }
}

export class RefreshNotAllowed extends TouchstoneError {
  readonly code = 'refresh_not_allowed';
  constructor() {
    super('the app may not have refresh tokens for this', { field: 'refreshable' });
  }
}

export class RefreshTokenReused extends TouchstoneError {
  readonly code = 'refresh_token_reused';
  constructor() {
    super('the refresh token had been used: it and all that came with it has been revoked', { field: 'refresh_token' });
  }
}

export class EtagStale extends TouchstoneError {
  readonly code = 'etag_stale';
  /** @param field says what was read. */
  constructor(field: 'etag' | 'version' = 'etag') {
    super('somebody has changed it since it was read: read it again', { field });
  }
}

export class TokenUnknown extends TouchstoneError {
  readonly code = 'token_unknown';
  constructor() {
    super('there is no such token', { field: 'token_id' });
  }
}

export class RevocationUnknown extends TouchstoneError {
  readonly code = 'revocation_unknown';
  constructor() {
    super('there is no such revocation', { field: 'revocation_id' });
  }
}

export class RevisionUnknown extends TouchstoneError {
  readonly code = 'revision_unknown';
  constructor() {
    super('must be a revision as a response gave it, of the history that is in force', {
      field: 'consistency.at_least_revision',
    });
  }
}

export class NotDisabled extends TouchstoneError {
  readonly code = 'not_disabled';
  constructor(what: 'tenant') {
    super(`the ${what} must be disabled first`, { what });
  }
}

export class ErasureUnknown extends TouchstoneError {
  readonly code = 'erasure_unknown';
  constructor() {
    super('there is no such erasure', { field: 'erasure_id' });
  }
}

export class PolicyUnknown extends TouchstoneError {
  readonly code = 'policy_unknown';
  constructor() {
    super('the policy has no such version', { field: 'version' });
  }
}

export class Disabled extends TouchstoneError {
  readonly code = 'disabled';
  constructor(what: 'tenant' | 'app' | 'resource_server') {
    super(`the ${what} is disabled`, { what });
  }
}

export class ScopeNotAllowed extends TouchstoneError {
  readonly code = 'scope_not_allowed';
  /** @param limitedBy whose limit it is: `app`. */
  constructor(scope: string, limitedBy: string, field = 'scopes') {
    super(`the ${limitedBy} does not allow the scope ${scope}`, { field, scope, limited_by: limitedBy });
  }
}

export class TtlTooLong extends TouchstoneError {
  readonly code = 'ttl_too_long';
  constructor(maxSeconds: number, limitedBy: string) {
    super(`ttl must be at most ${maxSeconds} seconds: the limit of the ${limitedBy}`, {
      field: 'ttl',
      max_seconds: String(maxSeconds),
      limited_by: limitedBy,
    });
  }
}

export class MethodNotAllowed extends TouchstoneError {
  readonly code = 'method_not_allowed';
  /** @param allowed the methods that it allows. */
  constructor(limitedBy: string, allowed: string) {
    super(`the ${limitedBy} allows no tokens made by this method, only: ${allowed || 'none'}`, {
      field: 'method',
      allowed,
      limited_by: limitedBy,
    });
  }
}

export class ConfirmationRequired extends TouchstoneError {
  readonly code = 'confirmation_required';
  /** @param kinds of confirmation, one of which it takes. */
  constructor(limitedBy: string, kinds: string) {
    super(`the ${limitedBy} takes a token that is bound to what its holder has: ${kinds || 'nothing will do'}`, {
      field: 'confirmation',
      kinds,
      limited_by: limitedBy,
    });
  }
}

export class ConsentTooOld extends TouchstoneError {
  readonly code = 'consent_too_old';
  constructor(limitedBy: string, maxSeconds: number) {
    super(`the ${limitedBy} takes a consent that is at most ${maxSeconds} seconds old: ask the user again`, {
      field: 'consent_id',
      max_seconds: String(maxSeconds),
      limited_by: limitedBy,
    });
  }
}

export class ClaimReserved extends TouchstoneError {
  readonly code = 'claim_reserved';
  constructor(claim: string) {
    super('claims must not use a name that the token itself uses', { field: 'claims', claim });
  }
}

export class ClaimsTooLarge extends TouchstoneError {
  readonly code = 'claims_too_large';
  constructor(maxBytes: number) {
    super(`claims must be at most ${maxBytes} bytes as JSON`, { field: 'claims', max_bytes: String(maxBytes) });
  }
}

/** The string would be longer than what any RPC takes: its method puts the claims, or the scopes, into it. */
export class TokenTooLong extends TouchstoneError {
  readonly code = 'token_too_long';
  constructor(maxCharacters: number) {
    super(
      `a token has at most ${maxCharacters} characters: ask for fewer claims or scopes, or for a method by reference`,
      {
        field: 'method',
        max_characters: String(maxCharacters),
      },
    );
  }
}

export class AlreadyExists extends TouchstoneError {
  readonly code = 'already_exists';
  constructor(what: 'tenant' | 'app' | 'resource_server') {
    super(`this name is taken by another ${what}`, { what });
  }
}

export class IdempotencyKeyReused extends TouchstoneError {
  readonly code = 'idempotency_key_reused';
  constructor() {
    super('the idempotency key has been used for another request', { field: 'idempotency_key' });
  }
}

export class CredentialNotAllowed extends TouchstoneError {
  readonly code = 'credential_not_allowed';
}

/** The store can't be reached, or says what can't be. Nothing may be assumed about any token. */
export class StoreUnavailable extends TouchstoneError {
  readonly code = 'store_unavailable';
  constructor(cause?: unknown) {
    super('the database cannot be asked now; treat the token as refused and try again', {}, { cause });
  }
}

/** This replica can't prove that the database it asks is still the one in force. */
export class Fenced extends TouchstoneError {
  readonly code = 'fenced';
  constructor() {
    super('this replica cannot prove that its database is the one in force; try another, or again');
  }
}

export class RateExceeded extends TouchstoneError {
  readonly code = 'rate_exceeded';
  /** Milliseconds. */
  readonly retryAfter: number;
  /** Whether this replica says so for the first time in this minute. */
  readonly isNews: boolean;
  constructor(limitedBy: string, tokensPerMinute: number, retryAfter: number, isNews: boolean) {
    super(`the ${limitedBy} gets at most ${tokensPerMinute} tokens a minute`, {
      limited_by: limitedBy,
      tokens_per_minute: String(tokensPerMinute),
      retry_after_ms: String(retryAfter),
    });
    this.retryAfter = retryAfter;
    this.isNews = isNews;
  }
}

export class TooManyTokens extends TouchstoneError {
  readonly code = 'too_many_tokens';
  constructor(max: number) {
    super(`the policy lets ${max} tokens of this app and user be alive at once`, { max_tokens: String(max) });
  }
}

export class TooManySigningKeys extends TouchstoneError {
  readonly code = 'too_many_signing_keys';
  /** @param days for which one is published after it has been retired. */
  constructor(max: number, days: number) {
    super(
      `${max} signing keys of the tenant are published: revoke one, or wait until one has been retired for ${days} days`,
      { max_keys: String(max) },
    );
  }
}

export class Overloaded extends TouchstoneError {
  readonly code = 'overloaded';
  constructor() {
    super('too many calls are waiting already; try again later');
  }
}

export class DeadlineExceeded extends TouchstoneError {
  readonly code = 'deadline_exceeded';
  constructor() {
    super("the call's deadline has passed");
  }
}

export class Cancelled extends TouchstoneError {
  readonly code = 'cancelled';
  constructor() {
    super('the caller has gone away');
  }
}

/** A fault of ours. What it was stays in the log. */
export class Internal extends TouchstoneError {
  readonly code = 'internal';
  constructor(cause: unknown) {
    super('a fault on our side; the log tells more under the trace id', {}, { cause });
  }
}
