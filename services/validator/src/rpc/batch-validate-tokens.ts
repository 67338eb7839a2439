import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  type BatchValidateTokensResultSchema,
  ValidateTokenRequestSchema,
  type ValidatorService,
} from '@touchstone/contracts';
import { validateToken } from '@touchstone/core';
import { type CallContext, type UnaryHandler, validateMessage } from '@touchstone/service-kit';
import type { ValidatorContext } from '../context.ts';
import { fromValidation, toValidateCommand } from './validate-token.ts';

export const batchValidateTokensHandler =
  (context: ValidatorContext): UnaryHandler<typeof ValidatorService.method.batchValidateTokens> =>
  async ({ requests }, call) => ({
    results: await Promise.all(requests.map((request) => validateOne(call, request, context))),
  });

/** Each by itself: one that fails says so in its own result. */
async function validateOne(
  { act, toStatus }: CallContext,
  request: MessageShape<typeof ValidateTokenRequestSchema>,
  context: ValidatorContext,
): Promise<MessageInitShape<typeof BatchValidateTokensResultSchema>> {
  try {
    const invalid = validateMessage(ValidateTokenRequestSchema, request);
    if (invalid) throw invalid;
    const validation = await validateToken(act, toValidateCommand(request), context.validating);
    return { outcome: { case: 'validated', value: fromValidation(validation) } };
  } catch (error) {
    return { outcome: { case: 'error', value: toStatus(error) } };
  }
}
