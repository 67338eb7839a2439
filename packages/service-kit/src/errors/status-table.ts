import { status as Status } from '@grpc/grpc-js';
import { ErrorReason, ErrorReasonSchema } from '@touchstone/contracts';
import { type ErrorCode, Internal, RateExceeded, TouchstoneError } from '@touchstone/core';

/** Where errors meet gRPC: a new code without a row does not compile. */
const statusOf: Readonly<Record<ErrorCode, readonly [Status, ErrorReason]>> = {
  invalid_field: [Status.INVALID_ARGUMENT, ErrorReason.INVALID_FIELD],
  caller_unknown: [Status.UNAUTHENTICATED, ErrorReason.CALLER_UNKNOWN],
  caller_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.CALLER_NOT_ALLOWED],
  tenant_unknown: [Status.NOT_FOUND, ErrorReason.TENANT_UNKNOWN],
  app_unknown: [Status.NOT_FOUND, ErrorReason.APP_UNKNOWN],
  audience_unknown: [Status.NOT_FOUND, ErrorReason.AUDIENCE_UNKNOWN],
  consent_unknown: [Status.NOT_FOUND, ErrorReason.CONSENT_UNKNOWN],
  consent_required: [Status.FAILED_PRECONDITION, ErrorReason.CONSENT_REQUIRED],
  consent_ended: [Status.FAILED_PRECONDITION, ErrorReason.CONSENT_ENDED],
  signing_key_unknown: [Status.NOT_FOUND, ErrorReason.SIGNING_KEY_UNKNOWN],
  token_not_honoured: [Status.FAILED_PRECONDITION, ErrorReason.TOKEN_NOT_HONOURED],
  exchange_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.EXCHANGE_NOT_ALLOWED],
  exchange_too_deep: [Status.FAILED_PRECONDITION, ErrorReason.EXCHANGE_TOO_DEEP],
  refresh_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.REFRESH_NOT_ALLOWED],
  refresh_token_reused: [Status.FAILED_PRECONDITION, ErrorReason.REFRESH_TOKEN_REUSED],
  etag_stale: [Status.ABORTED, ErrorReason.ETAG_STALE],
  confirmation_required: [Status.PERMISSION_DENIED, ErrorReason.CONFIRMATION_REQUIRED],
  consent_too_old: [Status.FAILED_PRECONDITION, ErrorReason.CONSENT_TOO_OLD],
  not_disabled: [Status.FAILED_PRECONDITION, ErrorReason.NOT_DISABLED],
  erasure_unknown: [Status.NOT_FOUND, ErrorReason.ERASURE_UNKNOWN],
  policy_unknown: [Status.NOT_FOUND, ErrorReason.POLICY_UNKNOWN],
  token_unknown: [Status.NOT_FOUND, ErrorReason.TOKEN_UNKNOWN],
  revocation_unknown: [Status.NOT_FOUND, ErrorReason.REVOCATION_UNKNOWN],
  revision_unknown: [Status.INVALID_ARGUMENT, ErrorReason.REVISION_UNKNOWN],
  disabled: [Status.FAILED_PRECONDITION, ErrorReason.DISABLED],
  scope_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.SCOPE_NOT_ALLOWED],
  ttl_too_long: [Status.INVALID_ARGUMENT, ErrorReason.TTL_TOO_LONG],
  method_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.METHOD_NOT_ALLOWED],
  claim_reserved: [Status.INVALID_ARGUMENT, ErrorReason.CLAIM_RESERVED],
  claims_too_large: [Status.INVALID_ARGUMENT, ErrorReason.CLAIMS_TOO_LARGE],
  token_too_long: [Status.INVALID_ARGUMENT, ErrorReason.TOKEN_TOO_LONG],
  already_exists: [Status.ALREADY_EXISTS, ErrorReason.ALREADY_EXISTS],
  idempotency_key_reused: [Status.FAILED_PRECONDITION, ErrorReason.IDEMPOTENCY_KEY_REUSED],
  credential_not_allowed: [Status.PERMISSION_DENIED, ErrorReason.CREDENTIAL_NOT_ALLOWED],
  rate_exceeded: [Status.RESOURCE_EXHAUSTED, ErrorReason.RATE_EXCEEDED],
  too_many_tokens: [Status.RESOURCE_EXHAUSTED, ErrorReason.TOO_MANY_TOKENS],
  too_many_signing_keys: [Status.RESOURCE_EXHAUSTED, ErrorReason.TOO_MANY_SIGNING_KEYS],
  store_unavailable: [Status.UNAVAILABLE, ErrorReason.STORE_UNAVAILABLE],
  fenced: [Status.UNAVAILABLE, ErrorReason.FENCED],
  overloaded: [Status.UNAVAILABLE, ErrorReason.OVERLOADED],
  deadline_exceeded: [Status.DEADLINE_EXCEEDED, ErrorReason.DEADLINE_EXCEEDED],
  cancelled: [Status.CANCELLED, ErrorReason.CANCELLED],
  internal: [Status.INTERNAL, ErrorReason.INTERNAL],
};

/** The name under which programs know the reasons' home. */
export const errorDomain = 'touchstone';

/** A failure as callers are told of it. */
export interface Failure {
  readonly code: Status;
  readonly reason: ErrorReason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which there is a point in trying again; absent: not known. */
  readonly retryAfter?: number;
}

/** A fault of ours, told with the id under which the log tells more. */
class TracedFault extends Internal {
  override readonly metadata: Readonly<Record<string, string>>;
  constructor(cause: unknown, traceId: string) {
    super(cause);
    this.metadata = { trace_id: traceId };
  }
}

/** What is not ours to tell becomes a fault of ours, of which nothing but the fact is told. */
export function asTouchstoneError(error: unknown, traceId: string): TouchstoneError {
  if (!(error instanceof TouchstoneError)) return new TracedFault(error, traceId);
  return error.code === 'internal' ? new TracedFault(error.cause, traceId) : error;
}

/** What callers are told of an error. */
export function failureOf(error: unknown): Failure {
  const known = error instanceof TouchstoneError ? error : new Internal(error);
  const [code, reason] = statusOf[known.code];
  const failure = { code, reason, message: known.message, metadata: known.metadata };
  return known instanceof RateExceeded ? { ...failure, retryAfter: known.retryAfter } : failure;
}

/** The reason's name in google.rpc.ErrorInfo: without the prefix of its enum. */
export const reasonName = (reason: ErrorReason): string => ErrorReasonSchema.value[reason]?.localName ?? 'INTERNAL';
