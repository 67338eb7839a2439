import type { RegistryService } from '@touchstone/contracts';
import { rotateSigningKey } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { signingAlgorithms } from './enums.ts';
import { fromSigningKey } from './from-signing-key.ts';

export const rotateSigningKeyHandler =
  ({ signing }: IssuerContext): UnaryHandler<typeof RegistryService.method.rotateSigningKey> =>
  async ({ tenantId, algorithm, reason }, { act }) => {
    const command = { tenantId, algorithm: signingAlgorithms.nameOf(algorithm), reason };
    const { active, next } = await rotateSigningKey(act, command, signing);
    return { active: fromSigningKey(active), next: fromSigningKey(next) };
  };
