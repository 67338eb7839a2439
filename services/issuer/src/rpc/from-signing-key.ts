import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { SigningAlgorithm, type SigningKeySchema, SigningKeyState } from '@touchstone/contracts';
import type { PublicSigningKey, SigningAlgorithm as SigningAlgorithmName } from '@touchstone/core';

const algorithms: Readonly<Record<SigningAlgorithmName, SigningAlgorithm>> = {
  EdDSA: SigningAlgorithm.ED25519,
  ES256: SigningAlgorithm.ES256,
  RS256: SigningAlgorithm.RS256,
};

const states: Readonly<Record<PublicSigningKey['state'], SigningKeyState>> = {
  next: SigningKeyState.NEXT,
  active: SigningKeyState.ACTIVE,
  retired: SigningKeyState.RETIRED,
  revoked: SigningKeyState.REVOKED,
};

export const fromSigningKey = (key: PublicSigningKey): MessageInitShape<typeof SigningKeySchema> => ({
  signingKeyId: key.keyId,
  tenantId: key.tenantId,
  algorithm: algorithms[key.algorithm],
  state: states[key.state],
  createdAt: timestampFromMs(key.createdAt),
  ...(key.activatedAt === null ? {} : { activatedAt: timestampFromMs(key.activatedAt) }),
  ...(key.retiredAt === null ? {} : { retiredAt: timestampFromMs(key.retiredAt) }),
});
