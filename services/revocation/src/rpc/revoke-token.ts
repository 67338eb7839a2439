import type { MessageShape } from '@bufbuild/protobuf';
import type { RevocationService, RevokeTokenRequestSchema } from '@touchstone/contracts';
import { formatRevision, InvalidField, type RevokeTokenCommand, revokeToken } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const revokeTokenHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.revokeToken> =>
  async (request, { act }) => {
    const { revocationId, head } = await revokeToken(act, toRevokeCommand(request), context.revoking);
    return { revocationId: revocationId ?? '', revision: formatRevision(head) };
  };

function toRevokeCommand({ tokenOrId, reason }: MessageShape<typeof RevokeTokenRequestSchema>): RevokeTokenCommand {
  switch (tokenOrId.case) {
    case 'token':
      return { token: tokenOrId.value, reason };
    case 'tokenId':
      return { tokenId: tokenOrId.value, reason };
    default:
      throw new InvalidField('token_or_id', 'must be a token or a token_id');
  }
}
