import { type Rate, RateExceeded, type RateLimiter } from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import type { Database } from './database.ts';
import { millisecondsOf } from './instants.ts';

const minuteMilliseconds = 60_000;
/** A replica takes this part of a minute's tokens at once, and hands them out by itself: what it doesn't is lost with the minute. */
const shareAtOnce = 0.02;
/** For how many apps and tenants tokens are held. */
const rememberedMax = 20_000;

/**
 * Counts by the database's clock, which is one for all replicas. Returns how many have been taken in this minute, and for
 * how many milliseconds it goes on. A minute that ends later than one can is of a clock that has been set back since.
 */
const takeStatement = `
  with clock as (select ${millisecondsOf('clock_timestamp()')} as now)
  insert into rate as r (key, points, expire) select $1, $2, now + ${minuteMilliseconds} from clock
  on conflict (key) do update set (points, expire) = (
    select case when goes_on then r.points + excluded.points else excluded.points end,
           case when goes_on then r.expire else excluded.expire end
      from (select r.expire > now and r.expire <= excluded.expire as goes_on from clock) m)
  returning points, expire - (select now from clock)`;

/** What a replica has of a minute's tokens. */
interface Held {
  /** What it may hand out still. */
  count: number;
  /** Whether there were no more to be had. */
  readonly isSpent: boolean;
  /** Whether somebody has been told so. */
  isTold: boolean;
  /** When the minute ends, by the monotonic clock. */
  readonly until: number;
}

/** Counts by the minute, in the database: all replicas together. */
export function rateLimiter(database: Database): RateLimiter {
  const held = new LRUCache<string, Held>({ max: rememberedMax });
  const refills = new Map<string, Promise<void>>();

  async function hold({ key, tokensPerMinute }: Rate, heldAs: string): Promise<void> {
    const count = Math.max(1, Math.floor(tokensPerMinute * shareAtOnce));
    const sentAt = performance.now();
    const [row] = await database.query({ name: 'take rate', text: takeStatement, values: [key, count] });
    const [taken, milliseconds] = row as [number, number];
    const isSpent = taken > tokensPerMinute;
    held.set(heldAs, { count: isSpent ? 0 : count, isSpent, isTold: false, until: sentAt + milliseconds });
  }

  /** Those who want some at the same time share one question. */
  function refilled(rate: Rate, heldAs: string): Promise<void> {
    const refilling = refills.get(heldAs) ?? hold(rate, heldAs).finally(() => refills.delete(heldAs));
    refills.set(heldAs, refilling);
    return refilling;
  }

  /** @returns what it was taken of. */
  async function takeOne(rate: Rate): Promise<Held> {
    const { key, tokensPerMinute, by } = rate;
    // Who may have more from now on is asked for anew.
    const heldAs = `${tokensPerMinute} ${key}`;
    for (;;) {
      const known = held.get(heldAs);
      const left = known ? known.until - performance.now() : 0;
      if (known && left > 0 && known.count > 0) {
        known.count--;
        return known;
      }
      // Who has had them all is told so without the database.
      if (known?.isSpent && left > 0) {
        const isNews = !known.isTold;
        known.isTold = true;
        throw new RateExceeded(by, tokensPerMinute, Math.ceil(left), isNews);
      }
      await refilled(rate, heldAs);
    }
  }

  return {
    async take(rates) {
      const takenOf: Held[] = [];
      try {
        for (const rate of rates) takenOf.push(await takeOne(rate));
      } catch (error) {
        // What one of them refuses has used up none of the others.
        for (const one of takenOf) one.count++;
        throw error;
      }
    },
  };
}
