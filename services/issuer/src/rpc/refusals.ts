import { type Act, recordRefusal, touchstoneAudience } from '@touchstone/core';
import type { Refused } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';

/** Puts on the trail what was refused before the use case heard of it; that one records its own refusals. */
export const tokenRefused =
  ({ issuing }: IssuerContext): Refused =>
  (act, error) =>
    recordRefusal(act, { appId: '', audience: '' }, error, issuing.audit);

export const credentialRefused =
  ({ credentials }: IssuerContext): Refused =>
  (act, error) =>
    recordRefusal(act, { appId: '', audience: touchstoneAudience }, error, credentials.audit);

/** Makes the command for the use case. */
export async function commandOr<Command>(refused: Refused, act: Act, make: () => Command): Promise<Command> {
  try {
    return make();
  } catch (error) {
    await refused(act, error);
    throw error;
  }
}
