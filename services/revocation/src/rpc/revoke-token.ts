import type { MessageShape } from '@bufbuild/protobuf';
import {
  type RevocationService,
  type RevokeTokenRequestSchema,
  RevokeTokenResponseSchema,
} from '@touchstone/contracts';
import { FieldWriter } from '@touchstone/contracts/field-writer';
import { formatRevision, type RevokeTokenCommand, revokeToken, type TokenRevoked } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const revokeTokenHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.revokeToken> =>
  async (request, { act }) => {
    return encodeRevoked(await revokeToken(act, toRevokeCommand(request), context.revoking));
  };

const response = RevokeTokenResponseSchema.field;
const writer = new FieldWriter();

const encodeRevoked = ({ revocationId, head }: TokenRevoked): Uint8Array =>
  writer.written(() => {
    writer.text(response.revocationId, revocationId ?? '');
    writer.text(response.revision, formatRevision(head));
  });

function toRevokeCommand({ tokenOrId, reason }: MessageShape<typeof RevokeTokenRequestSchema>): RevokeTokenCommand {
  switch (tokenOrId.case) {
    case 'tokenId':
      return { tokenId: tokenOrId.value, reason };
    default:
      return { token: required(tokenOrId.value), reason };
  }
}
