import type { MessageShape } from '@bufbuild/protobuf';
import type { RevocationService, RevokeTokenRequestSchema } from '@touchstone/contracts';
import { formatRevision, type RevokeTokenCommand, revokeToken } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const revokeTokenHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.revokeToken> =>
  async (request, { act }) => {
    const { revocationId, head } = await revokeToken(act, toRevokeCommand(request), context.revoking);
    return { revocationId: revocationId ?? '', revision: formatRevision(head) };
  };

function toRevokeCommand({ tokenOrId, reason }: MessageShape<typeof RevokeTokenRequestSchema>): RevokeTokenCommand {
  switch (tokenOrId.case) {
    case 'tokenId':
      return { tokenId: tokenOrId.value, reason };
    default:
      return { token: required(tokenOrId.value), reason };
  }
}
