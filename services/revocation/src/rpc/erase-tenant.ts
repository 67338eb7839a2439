import type { RevocationService } from '@touchstone/contracts';
import { eraseTenant } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { RevocationContext } from '../context.ts';

export const eraseTenantHandler =
  ({ erasing }: RevocationContext): UnaryHandler<typeof RevocationService.method.eraseTenant> =>
  async ({ tenantId, reason }, { act }) =>
    eraseTenant(act, { tenantId, reason }, erasing);
