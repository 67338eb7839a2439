import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  type BatchValidateTokensResultSchema,
  ValidateTokenRequestSchema,
  type ValidatorService,
} from '@touchstone/contracts';
import { type ValidateCommand, type Validation, validateTokens } from '@touchstone/core';
import { type CallContext, type UnaryHandler, validateMessage } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';
import { fromValidation, toValidateCommand } from './validate-token.ts';

/** Each by itself: one that fails says so in its own result. */
export const batchValidateTokensHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.batchValidateTokens> =>
  async ({ requests }, { act, toStatus }) => {
    const read = requests.map(commandOrError);
    const commands = read.filter((one): one is ValidateCommand => !(one instanceof Error));
    const outcomes = (await validateTokens(act, commands, context.validating)).values();
    const results = read.map((one) => (one instanceof Error ? one : (outcomes.next().value as Validation | Error)));
    return { results: results.map((outcome) => toResult(outcome, toStatus)) };
  };

function commandOrError(request: MessageShape<typeof ValidateTokenRequestSchema>): ValidateCommand | Error {
  try {
    return validateMessage(ValidateTokenRequestSchema, request) ?? toValidateCommand(request);
  } catch (error) {
    return error as Error;
  }
}

const toResult = (
  outcome: Validation | Error,
  toStatus: CallContext['toStatus'],
): MessageInitShape<typeof BatchValidateTokensResultSchema> => ({
  outcome:
    outcome instanceof Error
      ? { case: 'error', value: toStatus(outcome) }
      : { case: 'validated', value: fromValidation(outcome) },
});
