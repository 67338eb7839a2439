import { WireType } from '@bufbuild/protobuf/wire';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import {
  type BatchValidateTokensRequest,
  BatchValidateTokensRequestSchema,
  type Consistency,
  ConsistencySchema,
  type ValidateTokenRequest,
  ValidateTokenRequestSchema,
} from '@touchstone/contracts';
import { type PlainReader, readPlain, tagOf } from '@touchstone/contracts/plain-reader';
import { tokenCharactersMax } from '@touchstone/core/token-strings';

const { token, audience, requiredScopes, consistency } = ValidateTokenRequestSchema.field;
const requestTags = {
  token: tagOf(token, WireType.LengthDelimited),
  audience: tagOf(audience, WireType.LengthDelimited),
  requiredScope: tagOf(requiredScopes, WireType.LengthDelimited),
  consistency: tagOf(consistency, WireType.LengthDelimited),
};
const scopesMax = 64;

function requestIn(from: PlainReader): ValidateTokenRequest {
  const request: ValidateTokenRequest = {
    $typeName: ValidateTokenRequestSchema.typeName,
    token: '',
    audience: '',
    requiredScopes: [],
    consistency: undefined,
    request: '',
    proof: undefined,
  };
  from.fields((tag) => {
    if (tag === requestTags.token) request.token = from.text(tokenCharactersMax);
    else if (tag === requestTags.audience) request.audience = from.text();
    else if (tag === requestTags.requiredScope) request.requiredScopes.push(from.text());
    else {
      from.require(tag === requestTags.consistency && request.consistency === undefined);
      request.consistency = from.message(consistencyIn);
    }
  });
  const { length } = request.requiredScopes;
  from.require(request.token !== '' && request.audience !== '' && length >= 1 && length <= scopesMax);
  return request;
}

const { maxStaleness, atLeastRevision } = ConsistencySchema.field;
const consistencyTags = {
  maxStaleness: tagOf(maxStaleness, WireType.LengthDelimited),
  atLeastRevision: tagOf(atLeastRevision, WireType.LengthDelimited),
};
const revision = /^[0-9A-Za-z]+$/;

function consistencyIn(from: PlainReader): Consistency {
  const is = (requirement: Consistency['requirement']): Consistency => ({
    $typeName: ConsistencySchema.typeName,
    requirement,
  });
  const tag = from.tag();
  if (tag === consistencyTags.maxStaleness) {
    const value = from.message(durationIn);
    return is(value ? { case: 'maxStaleness', value } : { case: undefined });
  }
  const value = from.text();
  from.require(tag === consistencyTags.atLeastRevision && revision.test(value));
  return is({ case: 'atLeastRevision', value });
}

const durationTags = {
  seconds: tagOf(DurationSchema.field.seconds, WireType.Varint),
  nanos: tagOf(DurationSchema.field.nanos, WireType.Varint),
};

function durationIn(from: PlainReader): Duration {
  let [seconds, nanos] = [0, 0];
  from.fields((tag) => {
    if (tag === durationTags.seconds) seconds = from.number();
    else {
      from.require(tag === durationTags.nanos);
      nanos = from.number();
    }
  });
  return { $typeName: DurationSchema.typeName, seconds: BigInt(seconds), nanos };
}

const requestsTag = tagOf(BatchValidateTokensRequestSchema.field.requests, WireType.LengthDelimited);

const requestsIn = (from: PlainReader): BatchValidateTokensRequest => ({
  $typeName: BatchValidateTokensRequestSchema.typeName,
  requests: from.messages(requestsTag, requestIn),
});

/** Those with a token, an audience, scopes and, maybe, how stale the answer may be or which revision it must know. */
export const readPlainRequest = readPlain(requestIn);

/** Those of which each request is plain. */
export const readPlainRequests = readPlain(requestsIn);
