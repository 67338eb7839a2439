import type { MessageShape } from '@bufbuild/protobuf';
import { type RevocationService, RevocationState, type RevocationTargetSchema } from '@touchstone/contracts';
import { formatRevision, type RevocationTarget, revokeTokens } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const revokeTokensHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.revokeTokens> =>
  async ({ target, reason, idempotencyKey, includeCredentials }, { act }) => {
    const command = { target: toTarget(target), reason, idempotencyKey, includeCredentials };
    const { revocationId, head } = await revokeTokens(act, command, context.revokingMany);
    return { revocationId, revision: formatRevision(head), state: RevocationState.IN_FORCE };
  };

function toTarget(message: MessageShape<typeof RevocationTargetSchema> | undefined): RevocationTarget {
  const target = message?.target;
  switch (target?.case) {
    case 'user':
      return { kind: 'user', tenantId: target.value.tenantId, userId: target.value.userId };
    case 'app':
      return { kind: 'app', appId: target.value.appId };
    case 'appUser':
      return { kind: 'app_user', appId: target.value.appId, userId: target.value.userId };
    case 'tenant':
      return { kind: 'tenant', tenantId: target.value.tenantId };
    case 'consentId':
      return { kind: 'consent', consentId: target.value };
    case 'signingKeyId':
      return { kind: 'signing_key', signingKeyId: target.value };
    case 'all':
      return { kind: 'all' };
    default:
      return required<RevocationTarget>(undefined);
  }
}
