import { type ValidateTokenRequest, ValidateTokenRequestSchema, type ValidatorService } from '@touchstone/contracts';
import { andThen, type ValidateCommand, type Validation, validateTokens } from '@touchstone/core';
import { type UnaryHandler, validateMessage } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';
import { encodeResults } from './encode-validation.ts';
import { toValidateCommand } from './validate-token.ts';

/** Each by itself: one that fails says so in its own result. */
export const batchValidateTokensHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.batchValidateTokens> =>
  ({ requests }, { act, isPlain, toStatus }) => {
    const read = requests.map((request) => commandOrError(request, isPlain));
    const commands = read.filter((one): one is ValidateCommand => !(one instanceof Error));
    return andThen(validateTokens(act, commands, context.validating), (validated) => {
      const outcomes = validated.values();
      const results = read.map((one) => (one instanceof Error ? one : (outcomes.next().value as Validation | Error)));
      return encodeResults(results.map((one) => (one instanceof Error ? toStatus(one) : one)));
    });
  };

function commandOrError(request: ValidateTokenRequest, isPlain: boolean): ValidateCommand | Error {
  try {
    const invalid = isPlain ? null : validateMessage(ValidateTokenRequestSchema, request);
    return invalid ?? toValidateCommand(request);
  } catch (error) {
    return error as Error;
  }
}
