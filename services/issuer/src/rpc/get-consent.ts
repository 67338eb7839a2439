import type { ConsentService } from '@touchstone/contracts';
import { getConsent } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { fromConsent } from './from-consent.ts';

export const getConsentHandler =
  ({ consenting }: IssuerContext): UnaryHandler<typeof ConsentService.method.getConsent> =>
  async ({ consentId }, { act }) => ({ consent: fromConsent(await getConsent(act, consentId, consenting)) });
