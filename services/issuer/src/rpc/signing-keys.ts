import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type RegistryService, SigningAlgorithm, type SigningKeySchema, SigningKeyState } from '@touchstone/contracts';
import {
  listSigningKeys,
  type PublicSigningKey,
  rotateSigningKey,
  type SigningAlgorithm as SigningAlgorithmName,
} from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { required } from './required.ts';

const algorithmNames: Readonly<Record<SigningAlgorithm, SigningAlgorithmName>> = {
  [SigningAlgorithm.UNSPECIFIED]: 'EdDSA',
  [SigningAlgorithm.ED25519]: 'EdDSA',
  [SigningAlgorithm.ES256]: 'ES256',
  [SigningAlgorithm.RS256]: 'RS256',
};

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

export const listSigningKeysHandler =
  ({ signing }: IssuerContext): UnaryHandler<typeof RegistryService.method.listSigningKeys> =>
  async ({ tenantId }, { act }) => ({
    signingKeys: (await listSigningKeys(act, tenantId, signing)).map(fromSigningKey),
  });

export const rotateSigningKeyHandler =
  ({ signing }: IssuerContext): UnaryHandler<typeof RegistryService.method.rotateSigningKey> =>
  async ({ tenantId, algorithm, reason }, { act }) => {
    const command = { tenantId, algorithm: required(algorithmNames[algorithm]), reason };
    const { active, next } = await rotateSigningKey(act, command, signing);
    return { active: fromSigningKey(active), next: fromSigningKey(next) };
  };

const fromSigningKey = (key: PublicSigningKey): MessageInitShape<typeof SigningKeySchema> => ({
  signingKeyId: key.keyId,
  tenantId: key.tenantId,
  algorithm: algorithms[key.algorithm],
  state: states[key.state],
  createdAt: timestampFromMs(key.createdAt),
  ...(key.activatedAt === null ? {} : { activatedAt: timestampFromMs(key.activatedAt) }),
  ...(key.retiredAt === null ? {} : { retiredAt: timestampFromMs(key.retiredAt) }),
});
