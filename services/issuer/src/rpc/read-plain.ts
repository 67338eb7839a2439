import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  type BatchIssueTokensRequest,
  BatchIssueTokensRequestSchema,
  type IssueTokenRequest,
  IssueTokenRequestSchema,
  OnExcess,
  TokenMethod,
  TokenMethodSchema,
  Usage,
  UsageSchema,
} from '@touchstone/contracts';
import { type PlainReader, readPlain, tagOf } from '@touchstone/contracts/plain-reader';

const { field } = IssueTokenRequestSchema;
const requestTags = {
  tenantId: tagOf(field.tenantId, WireType.LengthDelimited),
  appId: tagOf(field.appId, WireType.LengthDelimited),
  userId: tagOf(field.userId, WireType.LengthDelimited),
  audience: tagOf(field.audience, WireType.LengthDelimited),
  scope: tagOf(field.scopes, WireType.LengthDelimited),
  method: tagOf(field.method, WireType.Varint),
  usage: tagOf(field.usage, WireType.Varint),
  claims: tagOf(field.claims, WireType.LengthDelimited),
  consentId: tagOf(field.consentId, WireType.LengthDelimited),
  refreshable: tagOf(field.refreshable, WireType.Varint),
};
const scope = /^[a-z0-9][a-z0-9._:/-]*$/;
const consent = /^con_[0-9A-Za-z]{21}$/;
const scopesMax = 64;

function requestIn(from: PlainReader): IssueTokenRequest {
  const request: IssueTokenRequest = {
    $typeName: IssueTokenRequestSchema.typeName,
    tenantId: '',
    appId: '',
    userId: '',
    audience: '',
    scopes: [],
    ttl: undefined,
    method: TokenMethod.UNSPECIFIED,
    usage: Usage.UNSPECIFIED,
    claims: undefined,
    consentId: '',
    refreshable: false,
    confirmation: undefined,
    onExcess: OnExcess.UNSPECIFIED,
  };
  from.fields((tag) => takeField(tag, from, request));
  const { tenantId, appId, audience, scopes, usage } = request;
  from.require(tenantId !== '' && appId !== '' && audience !== '' && usage !== Usage.UNSPECIFIED);
  from.require(scopes.length >= 1 && scopes.length <= scopesMax && new Set(scopes).size === scopes.length);
  return request;
}

function takeField(tag: number, from: PlainReader, request: IssueTokenRequest): void {
  switch (tag) {
    case requestTags.tenantId:
      request.tenantId = from.text();
      break;
    case requestTags.appId:
      request.appId = from.text();
      break;
    case requestTags.userId:
      request.userId = from.text();
      break;
    case requestTags.audience:
      request.audience = from.text();
      break;
    case requestTags.scope:
      request.scopes.push(from.textLike(scope));
      break;
    case requestTags.method:
      request.method = from.valueOf(TokenMethodSchema);
      break;
    case requestTags.usage:
      request.usage = from.valueOf(UsageSchema);
      break;
    case requestTags.claims:
      from.require(request.claims === undefined);
      request.claims = from.message(structIn);
      break;
    case requestTags.consentId:
      request.consentId = from.textLike(consent);
      break;
    case requestTags.refreshable:
      request.refreshable = from.bool();
      break;
    default:
      from.require(false);
  }
}

const entryTag = tagOf(StructSchema.field.fields, WireType.LengthDelimited);
// An entry of a map is a message of a key and a value.
const entryTags = {
  key: tagOf({ number: 1 }, WireType.LengthDelimited),
  value: tagOf({ number: 2 }, WireType.LengthDelimited),
};

function structIn(from: PlainReader): JsonObject {
  const object: JsonObject = {};
  from.fields((tag) => {
    from.require(tag === entryTag);
    from.message(() => {
      from.require(from.tag() === entryTags.key);
      const name = from.text();
      from.require(name !== '__proto__' && from.tag() === entryTags.value);
      object[name] = from.message(valueIn) ?? null;
    });
  });
  return object;
}

const valueTags = {
  number: tagOf(ValueSchema.field.numberValue, WireType.Bit64),
  text: tagOf(ValueSchema.field.stringValue, WireType.LengthDelimited),
  bool: tagOf(ValueSchema.field.boolValue, WireType.Varint),
  struct: tagOf(ValueSchema.field.structValue, WireType.LengthDelimited),
};
const claimMax = 4096;

function valueIn(from: PlainReader): JsonValue {
  switch (from.tag()) {
    case valueTags.text:
      return from.text(claimMax);
    case valueTags.number:
      return from.double();
    case valueTags.bool:
      return from.bool();
    case valueTags.struct:
      return from.message(structIn) ?? null;
    default:
      from.require(false);
      return null;
  }
}

const requestsTag = tagOf(BatchIssueTokensRequestSchema.field.requests, WireType.LengthDelimited);

const requestsIn = (from: PlainReader): BatchIssueTokensRequest => ({
  $typeName: BatchIssueTokensRequestSchema.typeName,
  requests: from.messages(requestsTag, requestIn),
});

/** Those for a user or an app, with any claims but lists; they live as long as they may, are bound to nothing, and take no less. */
export const readPlainRequest = readPlain(requestIn);

/** Those of which each request is plain. */
export const readPlainRequests = readPlain(requestsIn);
