import { type RegistryService, SigningAlgorithm } from '@touchstone/contracts';
import { rotateSigningKey, type SigningAlgorithm as SigningAlgorithmName } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromSigningKey } from './from-signing-key.ts';
import { required } from './required.ts';

const algorithmNames: Readonly<Record<SigningAlgorithm, SigningAlgorithmName>> = {
  [SigningAlgorithm.UNSPECIFIED]: 'EdDSA',
  [SigningAlgorithm.ED25519]: 'EdDSA',
  [SigningAlgorithm.ES256]: 'ES256',
  [SigningAlgorithm.RS256]: 'RS256',
};

export const rotateSigningKeyHandler =
  ({ signing }: IssuerContext): UnaryHandler<typeof RegistryService.method.rotateSigningKey> =>
  async ({ tenantId, algorithm, reason }, { act }) => {
    const command = { tenantId, algorithm: required(algorithmNames[algorithm]), reason };
    const { active, next } = await rotateSigningKey(act, command, signing);
    return { active: fromSigningKey(active), next: fromSigningKey(next) };
  };
