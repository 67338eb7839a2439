import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type BatchIssueTokensResultSchema, type IssuerService, IssueTokenRequestSchema } from '@touchstone/contracts';
import { issueToken } from '@touchstone/core';
import { type CallContext, type UnaryHandler, validateMessage } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromIssuedToken, toIssueCommand } from './issue-token.ts';
import { commandOr, tokenRefused } from './refusals.ts';

export const batchIssueTokensHandler =
  (context: IssuerContext): UnaryHandler<typeof IssuerService.method.batchIssueTokens> =>
  async ({ requests }, call) => ({
    results: await Promise.all(requests.map((request) => issueOne(call, request, context))),
  });

/** Each by itself: one that fails says so in its own result. */
async function issueOne(
  { act, isPlain, toStatus }: CallContext,
  request: MessageShape<typeof IssueTokenRequestSchema>,
  context: IssuerContext,
): Promise<MessageInitShape<typeof BatchIssueTokensResultSchema>> {
  try {
    const command = await commandOr(tokenRefused(context), act, () => {
      const invalid = isPlain ? null : validateMessage(IssueTokenRequestSchema, request);
      if (invalid) throw invalid;
      return toIssueCommand(request);
    });
    const issued = await issueToken(act, command, context.issuing);
    return { outcome: { case: 'issued', value: fromIssuedToken(issued) } };
  } catch (error) {
    return { outcome: { case: 'error', value: toStatus(error) } };
  }
}
