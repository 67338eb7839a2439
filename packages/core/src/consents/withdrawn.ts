import type { Follower } from '../revisions/follower.ts';
import type { ConsentAsOf } from './ports.ts';

/** The consent, with what the watermarks say of its end: what the database says of it is not under its mac. */
export const withEnd = <Found extends ConsentAsOf>(
  found: Found,
  { watermarks }: Pick<Follower, 'watermarks'>,
): Found => ({
  ...found,
  isWithdrawn: found.isWithdrawn || watermarks.isDead({ kind: 'consent', key: found.consent.consentId }),
});
