import type { Registration } from '../register/ports.ts';
import type { Rate, RateLimiter } from './ports.ts';

/**
 * Counts a token that is about to be issued: once, however often it is decided anew.
 * @throws RateExceeded, StoreUnavailable
 */
export function countOnce(limiter: RateLimiter): (registration: Registration) => Promise<void> {
  let isCounted = false;
  return async (registration) => {
    if (isCounted) return;
    const rates = ratesOf(registration);
    if (rates.length > 0) await limiter.take(rates);
    isCounted = true;
  };
}

const ratesOf = ({ tenant, app }: Registration): Rate[] =>
  [
    { key: `app ${app?.appId}`, tokensPerMinute: app?.tokensPerMinuteMax ?? null, by: 'app' },
    { key: `tenant ${tenant?.tenantId}`, tokensPerMinute: tenant?.tokensPerMinuteMax ?? null, by: 'tenant' },
  ].filter((rate): rate is Rate => rate.tokensPerMinute !== null);
