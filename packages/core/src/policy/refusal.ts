import {
  ConfirmationRequired,
  ConsentTooOld,
  MethodNotAllowed,
  ScopeNotAllowed,
  type TouchstoneError,
  TtlTooLong,
} from '../errors.ts';
import type { Excess, Granted } from './cap.ts';

/** What becomes of what is asked for beyond a cap: all is refused, or that is left out. */
export type OnExcess = 'refuse' | 'cut_down';

/** What is told first where several things are beyond their caps. */
const order: readonly Excess['what'][] = ['method', 'confirmation', 'consent', 'scope', 'ttl'];

/** Why nothing is granted; null: something is. */
export function refusalOf(granted: Granted, onExcess: OnExcess): TouchstoneError | null {
  const refused = onExcess === 'refuse' ? granted.excess : granted.excess.filter((one) => isVital(one, granted));
  const first = order.map((what) => refused.find((one) => one.what === what)).find((one) => one !== undefined);
  return first ? errorOf(first) : null;
}

/** Whether nothing is left without it: there is no less of a method, or of a consent; and no scope, no token. */
const isVital = ({ what }: Excess, { scopes }: Granted): boolean =>
  what !== 'ttl' && (what !== 'scope' || scopes.length === 0);

/** What is refused, in words. */
export function errorOf({ by, what, asked, allowed }: Excess): TouchstoneError {
  switch (what) {
    case 'scope':
      return new ScopeNotAllowed(asked, by);
    case 'ttl':
      return new TtlTooLong(Number(allowed), by);
    case 'method':
      return new MethodNotAllowed(by, allowed);
    case 'confirmation':
      return new ConfirmationRequired(by, allowed);
    case 'consent':
      return new ConsentTooOld(by, Number(allowed));
  }
}
