import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ListValueSchema, StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  BatchValidateTokensResponseSchema,
  BatchValidateTokensResultSchema,
  RefusalReason,
  ValidateTokenResponseSchema,
} from '@touchstone/contracts';
import { type Field, FieldWriter } from '@touchstone/contracts/field-writer';
import {
  type Claims,
  formatRevision,
  type JsonValue,
  type Told,
  type ToldReason,
  type Validation,
} from '@touchstone/core';
import type { CallContext } from '@touchstone/service-kit';

const reasons: Readonly<Record<ToldReason, RefusalReason>> = {
  malformed: RefusalReason.MALFORMED,
  not_honoured: RefusalReason.NOT_HONOURED,
  expired: RefusalReason.EXPIRED,
  scope_missing: RefusalReason.SCOPE_MISSING,
  request_mismatch: RefusalReason.REQUEST_MISMATCH,
  proof_required: RefusalReason.PROOF_REQUIRED,
  proof_invalid: RefusalReason.PROOF_INVALID,
  unknown: RefusalReason.UNKNOWN,
  revoked: RefusalReason.REVOKED,
  audience_mismatch: RefusalReason.AUDIENCE_MISMATCH,
  tampered: RefusalReason.TAMPERED,
  policy: RefusalReason.POLICY,
};

type ItemStatus = ReturnType<CallContext['toStatus']>;

const response = ValidateTokenResponseSchema.field;
const writer = new FieldWriter();

/** What is told of a token that is remembered is encoded once. */
function bytesOfTold(told: Told): Uint8Array {
  told.encoded ??= writer.written(() => writeTold(told));
  return told.encoded;
}

function writeTold(told: Told): void {
  writer.flag(response.active, true);
  writer.text(response.tokenId, told.tokenId);
  writer.text(response.tenantId, told.tenantId);
  writer.text(response.appId, told.appId);
  writer.text(response.subject, told.subject);
  writer.texts(response.scopes, told.scopes);
  writer.instant(response.expiresAt, told.expiresAt);
  writeStruct(response.claims, told.claims);
  writer.texts(response.actors, told.actors);
}

// An entry of a map is a message of a key and a value.
const entry = { key: { number: 1 }, value: { number: 2 } };

function writeStruct(field: Field, claims: Claims): void {
  writer.message(field, () => {
    for (const [name, value] of Object.entries(claims)) {
      writer.message(StructSchema.field.fields, () => {
        writer.tag(entry.key.number, WireType.LengthDelimited).string(name);
        writeValue(entry.value, value);
      });
    }
  });
}

const kind = ValueSchema.field;

function writeValue(field: Field, value: JsonValue): void {
  writer.message(field, () => {
    if (value === null) writer.tag(kind.nullValue.number, WireType.Varint).int32(0);
    else if (typeof value === 'string') writer.tag(kind.stringValue.number, WireType.LengthDelimited).string(value);
    else if (typeof value === 'number') writer.tag(kind.numberValue.number, WireType.Bit64).double(value);
    else if (typeof value === 'boolean') writer.tag(kind.boolValue.number, WireType.Varint).bool(value);
    else if (isList(value)) {
      writer.message(kind.listValue, () => {
        for (const item of value) writeValue(ListValueSchema.field.values, item);
      });
    } else writeStruct(kind.structValue, value);
  });
}

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);

const refusals = Object.fromEntries(
  Object.entries(reasons).map(([told, reason]) => [
    told,
    toBinary(ValidateTokenResponseSchema, create(ValidateTokenResponseSchema, { reason })),
  ]),
) as Readonly<Record<ToldReason, Uint8Array>>;

const bytesOfOutcome = (validation: Validation): Uint8Array =>
  validation.active ? bytesOfTold(validation.told) : refusals[validation.reason];

/** How fresh the answer before was: most are as fresh as that. */
let last: (Pick<Validation, 'asOf' | 'head'> & { readonly bytes: Uint8Array }) | null = null;

function bytesOfFreshness({ asOf, head }: Validation): Uint8Array {
  if (last?.head === head && last.asOf === asOf) return last.bytes;
  const bytes = writer.written(() => {
    if (asOf !== null) writer.instant(response.asOf, asOf);
    writer.text(response.revision, formatRevision(head));
  });
  last = { asOf, head, bytes };
  return bytes;
}

/** A ValidateTokenResponse: the bytes of two messages, one after the other, are those of both merged. */
export const encodeValidation = (validation: Validation): Uint8Array =>
  Buffer.concat([bytesOfOutcome(validation), bytesOfFreshness(validation)]);

const resultsField = BatchValidateTokensResponseSchema.field.results.number;
const validatedField = BatchValidateTokensResultSchema.field.validated.number;

/** A BatchValidateTokensResponse. */
export function encodeResults(outcomes: readonly (Validation | ItemStatus)[]): Uint8Array {
  const results = new BinaryWriter();
  for (const outcome of outcomes) {
    if (!isValidation(outcome)) {
      const result = create(BatchValidateTokensResultSchema, { outcome: { case: 'error', value: outcome } });
      results.tag(resultsField, WireType.LengthDelimited).bytes(toBinary(BatchValidateTokensResultSchema, result));
      continue;
    }
    const told = bytesOfOutcome(outcome);
    const freshness = bytesOfFreshness(outcome);
    const size = told.length + freshness.length;
    results.tag(resultsField, WireType.LengthDelimited).uint32(1 + sizeOfVarint(size) + size);
    results.tag(validatedField, WireType.LengthDelimited).uint32(size).raw(told).raw(freshness);
  }
  return results.finish();
}

const isValidation = (outcome: Validation | ItemStatus): outcome is Validation => 'active' in outcome;

const sizeOfVarint = (value: number): number => Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));
