import type { MessageShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { ConsistencySchema, ValidateTokenRequestSchema, ValidatorService } from '@touchstone/contracts';
import {
  andThen,
  type Consistency,
  InvalidField,
  parseRevision,
  RevisionUnknown,
  type ValidateCommand,
  validateToken,
} from '@touchstone/core';
import { toPresentedProof, type UnaryHandler } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';
import { encodeValidation } from './encode-validation.ts';

export const validateTokenHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.validateToken> =>
  (request, { act }) =>
    andThen(validateToken(act, toValidateCommand(request), context.validating), encodeValidation);

/** @throws InvalidField, RevisionUnknown */
export const toValidateCommand = (request: MessageShape<typeof ValidateTokenRequestSchema>): ValidateCommand => ({
  token: request.token,
  audience: request.audience,
  requiredScopes: request.requiredScopes,
  request: request.request || null,
  proof: toPresentedProof(request.proof),
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
