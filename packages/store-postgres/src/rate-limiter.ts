import { type Rate, RateExceeded, type RateLimiter } from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { Database } from './database.ts';

const minuteSeconds = 60;
/** A replica takes this part of a minute's tokens at once, and hands them out by itself: what it doesn't is lost with the minute. */
const shareAtOnce = 0.02;
/** For how many apps and tenants tokens are held. */
const rememberedMax = 20_000;

/** Tokens of the minute that ends then, by the monotonic clock. */
interface Held {
  count: number;
  readonly until: number;
}

/** Counts by the minute, in the database: all replicas together. */
export function rateLimiter(database: Database): RateLimiter {
  const limiters = new LRUCache<number, RateLimiterPostgres>({ max: 1_000 });
  const held = new LRUCache<string, Held>({ max: rememberedMax });
  const refills = new Map<string, Promise<void>>();

  function limiterOf(tokensPerMinute: number): RateLimiterPostgres {
    const limiter = limiters.get(tokensPerMinute) ?? openLimiter(database, tokensPerMinute);
    limiters.set(tokensPerMinute, limiter);
    return limiter;
  }

  async function refill({ key, tokensPerMinute, by }: Rate): Promise<void> {
    const count = Math.max(1, Math.floor(tokensPerMinute * shareAtOnce));
    try {
      const { msBeforeNext } = await limiterOf(tokensPerMinute).consume(key, count);
      held.set(key, { count, until: performance.now() + msBeforeNext });
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new RateExceeded(by, tokensPerMinute, refused.msBeforeNext);
    } finally {
      refills.delete(key);
    }
  }

  async function takeOne(rate: Rate): Promise<void> {
    for (;;) {
      const known = held.get(rate.key);
      if (known && known.count > 0 && performance.now() < known.until) {
        known.count--;
        return;
      }
      const refilling = refills.get(rate.key) ?? refill(rate);
      refills.set(rate.key, refilling);
      await refilling;
    }
  }

  return {
    async take(rates) {
      for (const rate of rates) await takeOne(rate);
    },
  };
}

function openLimiter(database: Database, tokensPerMinute: number): RateLimiterPostgres {
  return new RateLimiterPostgres({
    // The library wants a pool, of which it needs no more than this.
    storeClient: {
      async query({ name, text, values }: { name: string; text: string; values: unknown[] }) {
        const rows = await database.query({ name, text, values });
        return { rows: rows.map(([points, expire]) => ({ points, expire })) };
      },
    },
    storeType: 'pool',
    points: tokensPerMinute,
    duration: minuteSeconds,
    tableName: 'rate',
    keyPrefix: '',
    tableCreated: true,
    clearExpiredByTimeout: false,
    // Who has had them all is told so without the database.
    inMemoryBlockOnConsumed: tokensPerMinute,
  });
}
