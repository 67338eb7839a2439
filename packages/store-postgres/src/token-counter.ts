import { inTurnOfEach, StoreUnavailable, type TokenCounter, type TokenLimits } from '@touchstone/core';
import { close, type Database, run } from './database.ts';

/** How many limits there are is up to the tenant's registry; what is counted comes back as one number for each. */
const countStatement = 'select at, tokens from tokens_beyond($1, $2)';
/** Enough for ten million tokens on a small machine. */
const timeoutMilliseconds = 120_000;
const waitingMax = 4;

interface Count {
  readonly tenantId: string;
  readonly limitsOf: () => Promise<readonly TokenLimits[]>;
}

/** Counts tokens, over a connection of its own: it takes longer than any other statement may. One count at a time. */
export function tokenCounter(database: Database): TokenCounter {
  const count = inTurnOfEach(
    ({ tenantId }: Count) => tenantId,
    (wanted: Count) => countOne(database, wanted),
    waitingMax,
  );
  return { countBeyond: (tenantId, limitsOf, signal) => count({ tenantId, limitsOf }, signal) };
}

async function countOne(database: Database, { tenantId, limitsOf }: Count): Promise<readonly number[]> {
  const limits = await limitsOf();
  const client = await database.connect(timeoutMilliseconds);
  try {
    const fields = limits.map(({ appId, audience, usage, scopes, ttlMax, methods, confirmations }, at) => ({
      ...{ at, app_id: appId, audience, usage, scopes, ttl_max: ttlMax, methods, confirmations },
    }));
    const rows = await run(client, { text: countStatement, values: [tenantId, JSON.stringify(fields)] });
    const counts = new Map(rows as unknown as [number, number][]);
    return limits.map((_, at) => counts.get(at) ?? 0);
  } catch (error) {
    throw new StoreUnavailable(error);
  } finally {
    await close(client);
  }
}
