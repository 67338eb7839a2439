import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type SigningKeySchema, SigningKeyState } from '@touchstone/contracts';
import type { PublicSigningKey } from '@touchstone/core';
import { signingAlgorithms } from './enums.ts';

const states: Readonly<Record<PublicSigningKey['state'], SigningKeyState>> = {
  next: SigningKeyState.NEXT,
  active: SigningKeyState.ACTIVE,
  retired: SigningKeyState.RETIRED,
  revoked: SigningKeyState.REVOKED,
};

export const fromSigningKey = (key: PublicSigningKey): MessageInitShape<typeof SigningKeySchema> => ({
  signingKeyId: key.keyId,
  tenantId: key.tenantId,
  algorithm: signingAlgorithms.valueOf(key.algorithm),
  state: states[key.state],
  createdAt: timestampFromMs(key.createdAt),
  ...(key.activatedAt === null ? {} : { activatedAt: timestampFromMs(key.activatedAt) }),
  ...(key.retiredAt === null ? {} : { retiredAt: timestampFromMs(key.retiredAt) }),
});
