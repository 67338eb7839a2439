import type { Registration } from '../register/ports.ts';
import type { Rate, RateLimiter } from './ports.ts';

/**
 * Counts a token that is about to be issued: once, however often it is decided anew.
 * @throws RateExceeded, StoreUnavailable
 */
export function countOnce(limiter: RateLimiter): (registration: Registration) => Promise<void> | undefined {
  let isCounted = false;
  return (registration) => {
    const rates = isCounted ? [] : ratesOf(registration);
    isCounted = true;
    return rates.length > 0 ? limiter.take(rates) : undefined;
  };
}

const ratesOf = ({ tenant, app }: Registration): Rate[] =>
  [
    { key: `app ${app?.appId}`, tokensPerMinute: app?.tokensPerMinuteMax ?? null, by: 'app' },
    { key: `tenant ${tenant?.tenantId}`, tokensPerMinute: tenant?.tokensPerMinuteMax ?? null, by: 'tenant' },
  ].filter((rate): rate is Rate => rate.tokensPerMinute !== null);
