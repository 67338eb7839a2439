import { Overloaded, RateExceeded, TooManyTokens } from '../errors.ts';
import type { Registry } from '../register/ports.ts';
import { isRefusal } from './record-refusal.ts';

/** How often a token is decided anew because the registry changed under it: who provisions tenants changes it all the time. */
const attemptsMax = 15;

/**
 * What is remembered of the registry may be old: then nothing is written, or refused, before it has been read anew.
 * @param attempt null where what it was decided under holds no more.
 * @throws what the attempt throws, Overloaded
 */
export async function underLatest<Issued>(
  registry: Pick<Registry, 'forget'>,
  tenantId: string,
  attempt: () => Promise<Issued | null>,
): Promise<Issued> {
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    try {
      const issued = await attempt();
      if (issued) return issued;
    } catch (error) {
      if (attempts > 1 || !mayBeOld(error)) throw error;
    }
    registry.forget(tenantId);
  }
  throw new Overloaded();
}

/** Room is looked for under what holds; and who has been told of a rate is not looked up for each call beyond it. */
const mayBeOld = (error: unknown): boolean =>
  isRefusal(error) && !(error instanceof TooManyTokens || (error instanceof RateExceeded && !error.isNews));
