import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type RevocationProgressSchema,
  type RevocationSchema,
  RevocationState,
  TargetKind,
  type ValidatorStatusSchema,
} from '@touchstone/contracts';
import { type CutKind, type FollowedRevocation, formatRevision, type Progress, type Validator } from '@touchstone/core';

const targetKinds: Readonly<Record<CutKind, TargetKind>> = {
  token: TargetKind.TOKEN,
  user: TargetKind.USER,
  app: TargetKind.APP,
  app_user: TargetKind.APP_USER,
  tenant: TargetKind.TENANT,
  all: TargetKind.ALL,
  resource_server: TargetKind.RESOURCE_SERVER,
  consent: TargetKind.CONSENT,
  signing_key: TargetKind.SIGNING_KEY,
};

export const fromFollowedRevocation = ({
  revocation,
  progress,
}: FollowedRevocation): MessageInitShape<typeof RevocationSchema> => ({
  revocationId: revocation.revocationId,
  revision: formatRevision(revocation.head),
  state: progress.completeAt === null ? RevocationState.IN_FORCE : RevocationState.COMPLETE,
  targetKind: targetKinds[revocation.target.kind],
  tenantId: revocation.tenantId ?? '',
  targetKey: revocation.target.key,
  ceiling: revocation.ceiling === null ? '' : String(revocation.ceiling),
  includeCredentials: revocation.includeCredentials,
  reason: revocation.reason,
  actor: revocation.actor.credentialId,
  revokedAt: timestampFromMs(revocation.recordedAt),
  progress: fromProgress(progress, revocation.head.revision),
});

function fromProgress(
  { isPublished, completeAt, validators }: Progress,
  revision: number,
): MessageInitShape<typeof RevocationProgressSchema> {
  const live = validators.filter(({ isLive }) => isLive);
  const behind = live.filter(({ appliedRevision }) => appliedRevision < revision);
  const statusOf = (validator: Validator) => fromValidator(validator, revision);
  return {
    published: isPublished,
    validatorsLive: live.length,
    validatorsApplied: live.length - behind.length,
    ...(completeAt === null ? {} : { completeAt: timestampFromMs(completeAt) }),
    behind: behind.map(statusOf),
    unreachable: validators.filter(({ isLive }) => !isLive).map(statusOf),
  };
}

const fromValidator = (validator: Validator, revision: number): MessageInitShape<typeof ValidatorStatusSchema> => ({
  instanceId: validator.instanceId,
  address: validator.address,
  build: validator.build,
  revisionsBehind: BigInt(Math.max(0, revision - validator.appliedRevision)),
  beatAt: timestampFromMs(validator.beatAt),
  answersUntil: timestampFromMs(validator.answersUntil),
});
