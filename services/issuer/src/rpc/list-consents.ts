import type { ConsentService } from '@touchstone/contracts';
import { listConsents } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromConsent } from './from-consent.ts';

const pageSizeDefault = 50;

export const listConsentsHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.listConsents> =>
  async ({ tenantId, userId, pageSize, pageToken }, { act }) => {
    const command = { tenantId, userId, pageSize: pageSize || pageSizeDefault, after: pageToken || null };
    const { consents, next } = await listConsents(act, command, consenting);
    return { consents: consents.map(fromConsent), nextPageToken: next ?? '' };
  };
