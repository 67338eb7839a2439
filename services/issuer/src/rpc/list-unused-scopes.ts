import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { RegistryService } from '@touchstone/contracts';
import { listUnusedScopes } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toPage } from './page.ts';

const daysDefault = 90;
const millisecondsPerDay = 86_400_000;

export const listUnusedScopesHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.listUnusedScopes> =>
  async ({ tenantId, days, ...page }, { act }) => {
    const since = Date.now() - (days || daysDefault) * millisecondsPerDay;
    const { unused, next } = await listUnusedScopes(act, { tenantId, since, ...toPage(page) }, deciding);
    return {
      unusedScopes: unused.map(({ lastUsedAt, ...scope }) => ({
        ...scope,
        ...(lastUsedAt === null ? {} : { lastUsedAt: timestampFromMs(lastUsedAt) }),
      })),
      nextPageToken: next ?? '',
    };
  };
