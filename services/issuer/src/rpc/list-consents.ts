import type { ConsentService } from '@touchstone/contracts';
import { listConsents } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromConsent } from './from-consent.ts';
import { toPage } from './page.ts';

export const listConsentsHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.listConsents> =>
  async ({ tenantId, userId, ...page }, { act }) => {
    const command = { tenantId, userId, ...toPage(page) };
    const { consents, next } = await listConsents(act, command, consenting);
    return { consents: consents.map(fromConsent), nextPageToken: next ?? '' };
  };
