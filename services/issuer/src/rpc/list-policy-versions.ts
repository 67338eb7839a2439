import type { RegistryService } from '@touchstone/contracts';
import { listPolicyVersions } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromPolicy } from './policy.ts';

/** How many are told where no size is asked for: they can be large. */
const pageSizeDefault = 20;

export const listPolicyVersionsHandler =
  ({ deciding }: IssuerContext): UnaryHandler<typeof RegistryService.method.listPolicyVersions> =>
  async ({ tenantId, pageSize, pageToken }, { act }) => {
    const page = { pageSize: pageSize || pageSizeDefault, before: pageToken === '' ? null : Number(pageToken) };
    const { versions, next } = await listPolicyVersions(act, tenantId, page, deciding);
    return { policies: versions.map(fromPolicy), nextPageToken: next === null ? '' : String(next) };
  };
