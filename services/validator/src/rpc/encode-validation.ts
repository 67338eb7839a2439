import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  BatchValidateTokensResponseSchema,
  BatchValidateTokensResultSchema,
  RefusalReason,
  ValidateTokenResponseSchema,
} from '@touchstone/contracts';
import { formatRevision, type Told, type ToldReason, type Validation } from '@touchstone/core';
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
type Fields = MessageInitShape<typeof ValidateTokenResponseSchema>;

const bytesOf = (fields: Fields): Uint8Array =>
  toBinary(ValidateTokenResponseSchema, create(ValidateTokenResponseSchema, fields));

/** What is told of a token that is remembered is encoded once. */
function bytesOfTold(told: Told): Uint8Array {
  if (told.encoded) return told.encoded;
  const { tokenId, tenantId, appId, subject, scopes, expiresAt, claims, actors } = told;
  told.encoded = bytesOf({
    active: true,
    tokenId,
    tenantId,
    appId,
    subject,
    scopes: [...scopes],
    expiresAt: timestampFromMs(expiresAt),
    claims: claims as NonNullable<Fields['claims']>,
    actors: [...actors],
  });
  return told.encoded;
}

const refusals = Object.fromEntries(
  Object.entries(reasons).map(([told, reason]) => [told, bytesOf({ active: false, reason })]),
) as Readonly<Record<ToldReason, Uint8Array>>;

const bytesOfOutcome = (validation: Validation): Uint8Array =>
  validation.active ? bytesOfTold(validation.told) : refusals[validation.reason];

const bytesOfFreshness = ({ asOf, head }: Validation): Uint8Array =>
  bytesOf({ ...(asOf === null ? {} : { asOf: timestampFromMs(asOf) }), revision: formatRevision(head) });

/** A ValidateTokenResponse: the bytes of two messages, one after the other, are those of both merged. */
export const encodeValidation = (validation: Validation): Uint8Array =>
  Buffer.concat([bytesOfOutcome(validation), bytesOfFreshness(validation)]);

const resultsField = BatchValidateTokensResponseSchema.field.results.number;
const validatedField = BatchValidateTokensResultSchema.field.validated.number;

/** A BatchValidateTokensResponse. */
export function encodeResults(outcomes: readonly (Validation | ItemStatus)[]): Uint8Array {
  const writer = new BinaryWriter();
  // Most answers of a batch are as fresh as the one before.
  let before: Validation | undefined;
  let freshness: Uint8Array = new Uint8Array();
  for (const outcome of outcomes) {
    if (!isValidation(outcome)) {
      const result = create(BatchValidateTokensResultSchema, { outcome: { case: 'error', value: outcome } });
      writer.tag(resultsField, WireType.LengthDelimited).bytes(toBinary(BatchValidateTokensResultSchema, result));
      continue;
    }
    if (before?.head !== outcome.head || before.asOf !== outcome.asOf) freshness = bytesOfFreshness(outcome);
    before = outcome;
    const told = bytesOfOutcome(outcome);
    const size = told.length + freshness.length;
    writer.tag(resultsField, WireType.LengthDelimited).uint32(1 + sizeOfVarint(size) + size);
    writer.tag(validatedField, WireType.LengthDelimited).uint32(size).raw(told).raw(freshness);
  }
  return writer.finish();
}

const isValidation = (outcome: Validation | ItemStatus): outcome is Validation => 'active' in outcome;

const sizeOfVarint = (value: number): number => Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));
