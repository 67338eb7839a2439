import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type RevocationSchema, type RevocationService, RevocationState, TargetKind } from '@touchstone/contracts';
import { type CutKind, formatRevision, getRevocation, type Revocation } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const getRevocationHandler =
  (context: RevocationContext): UnaryHandler<typeof RevocationService.method.getRevocation> =>
  async ({ revocationId }, { act }) => ({
    revocation: fromRevocation(await getRevocation(act, revocationId, context.revocations)),
  });

const targetKinds: Readonly<Record<CutKind, TargetKind>> = {
  token: TargetKind.TOKEN,
  user: TargetKind.USER,
  app: TargetKind.APP,
  app_user: TargetKind.APP_USER,
  tenant: TargetKind.TENANT,
  all: TargetKind.ALL,
  resource_server: TargetKind.RESOURCE_SERVER,
};

const fromRevocation = (revocation: Revocation): MessageInitShape<typeof RevocationSchema> => ({
  revocationId: revocation.revocationId,
  revision: formatRevision(revocation.head),
  state: RevocationState.IN_FORCE,
  targetKind: targetKinds[revocation.target.kind],
  tenantId: revocation.tenantId ?? '',
  targetKey: revocation.target.key,
  ceiling: revocation.ceiling === null ? '' : String(revocation.ceiling),
  includeCredentials: revocation.includeCredentials,
  reason: revocation.reason,
  actor: revocation.actor.credentialId,
  revokedAt: timestampFromMs(revocation.recordedAt),
});
