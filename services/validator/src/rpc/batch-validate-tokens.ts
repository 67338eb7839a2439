import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type BatchValidateTokensResultSchema,
  ValidateTokenRequestSchema,
  type ValidatorService,
} from '@touchstone/contracts';
import { type Validation, validateTokens } from '@touchstone/core';
import { type CallContext, type UnaryHandler, validateMessage } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';
import { fromValidation, toValidateCommand } from './validate-token.ts';

/** Each by itself: one that fails says so in its own result. */
export const batchValidateTokensHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.batchValidateTokens> =>
  async ({ requests }, { act, toStatus }) => {
    const invalid = requests.map((request) => validateMessage(ValidateTokenRequestSchema, request));
    const commands = requests.filter((_, i) => !invalid[i]).map(toValidateCommand);
    const outcomes = (await validateTokens(act, commands, context.validating)).values();
    return { results: invalid.map((error) => toResult(error ?? (outcomes.next().value as Outcome), toStatus)) };
  };

type Outcome = Validation | Error;

const toResult = (
  outcome: Outcome,
  toStatus: CallContext['toStatus'],
): MessageInitShape<typeof BatchValidateTokensResultSchema> => ({
  outcome:
    outcome instanceof Error
      ? { case: 'error', value: toStatus(outcome) }
      : { case: 'validated', value: fromValidation(outcome) },
});
