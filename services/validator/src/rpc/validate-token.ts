import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type Duration, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type ConsistencySchema,
  RefusalReason,
  type ValidateTokenRequestSchema,
  type ValidateTokenResponseSchema,
  type ValidatorService,
} from '@touchstone/contracts';
import {
  type Consistency,
  formatRevision,
  InvalidField,
  parseRevision,
  RevisionUnknown,
  type ToldReason,
  type ValidateCommand,
  type Validation,
  validateToken,
} from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';

export const validateTokenHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.validateToken> =>
  async (request, { act }) =>
    fromValidation(await validateToken(act, toValidateCommand(request), context.validating));

const reasons: Readonly<Record<ToldReason, RefusalReason>> = {
  malformed: RefusalReason.MALFORMED,
  not_honoured: RefusalReason.NOT_HONOURED,
  expired: RefusalReason.EXPIRED,
  scope_missing: RefusalReason.SCOPE_MISSING,
  unknown: RefusalReason.UNKNOWN,
  revoked: RefusalReason.REVOKED,
  audience_mismatch: RefusalReason.AUDIENCE_MISMATCH,
  tampered: RefusalReason.TAMPERED,
};

/** @throws InvalidField, RevisionUnknown */
export const toValidateCommand = (request: MessageShape<typeof ValidateTokenRequestSchema>): ValidateCommand => ({
  token: request.token,
  audience: request.audience,
  requiredScopes: request.requiredScopes,
  consistency: toConsistency(request.consistency?.requirement),
});

type Requirement = MessageShape<typeof ConsistencySchema>['requirement'];

function toConsistency(requirement: Requirement | undefined): Consistency {
  switch (requirement?.case) {
    case 'maxStaleness':
      return { kind: 'max_staleness', milliseconds: stalenessOf(requirement.value) };
    case 'atLeastRevision': {
      const revision = parseRevision(requirement.value);
      if (!revision) throw new RevisionUnknown();
      return { kind: 'at_least_revision', revision };
    }
    default:
      return fullyConsistent;
  }
}

/** Milliseconds. */
const stalenessMax = 60_000;

/** @throws InvalidField */
function stalenessOf({ seconds, nanos }: Duration): number {
  const milliseconds = Number(seconds) * 1_000 + nanos / 1_000_000;
  if (milliseconds > 0 && milliseconds <= stalenessMax) return milliseconds;
  throw new InvalidField('consistency.max_staleness', 'must be above zero and at most a minute');
}

const fullyConsistent: Consistency = { kind: 'fully_consistent' };

export function fromValidation(validation: Validation): MessageInitShape<typeof ValidateTokenResponseSchema> {
  const asOf = validation.asOf === null ? {} : { asOf: timestampFromMs(validation.asOf) };
  const revision = formatRevision(validation.head);
  if (!validation.active) return { active: false, reason: reasons[validation.reason], ...asOf, revision };
  return {
    active: true,
    tokenId: validation.tokenId,
    tenantId: validation.tenantId,
    appId: validation.appId,
    subject: validation.subject,
    scopes: [...validation.scopes],
    expiresAt: timestampFromMs(validation.expiresAt),
    claims: validation.claims as NonNullable<MessageInitShape<typeof ValidateTokenResponseSchema>['claims']>,
    ...asOf,
    revision,
  };
}
