import type { RegistryService } from '@touchstone/contracts';
import { listSigningKeys } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromSigningKey } from './from-signing-key.ts';

export const listSigningKeysHandler =
  ({ signing }: IssuerContext): UnaryHandler<typeof RegistryService.method.listSigningKeys> =>
  async ({ tenantId }, { act }) => ({
    signingKeys: (await listSigningKeys(act, tenantId, signing)).map(fromSigningKey),
  });
