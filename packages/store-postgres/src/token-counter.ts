import { gather, StoreUnavailable, type TokenCounter, type TokenLimits } from '@touchstone/core';
import { type Database, run } from './database.ts';

/**
 * Goes through all tokens there are: there is no index by tenant, since nothing that is often asked needs one. How many limits
 * there are is up to the tenant's registry; what is counted comes back as one number for each.
 */
const countStatement = `
  with limits as (
    select * from json_to_recordset($2) as l
      (at int, app_id text, audience text, usage text, scopes text[], ttl_max bigint, methods text[], confirmations text[])
  )
  select l.at, count(*)
    from token t join limits l using (app_id, audience, usage)
   where t.tenant_id = $1 and t.token_class = 'token' and t.expires_at > now()
     and (not t.scopes <@ l.scopes or floor(extract(epoch from t.expires_at - t.issued_at)) > l.ttl_max
          or t.method <> all (l.methods)
          or l.confirmations is not null
             and coalesce(case when t.confirmation like '{"jkt"%' then 'key' when t.confirmation is not null then 'certificate' end, '')
                 <> all (l.confirmations))
   group by l.at`;
/** Enough for ten million tokens on a small machine. */
const timeout = '120s';

interface Count {
  readonly tenantId: string;
  readonly limits: readonly TokenLimits[];
}

/** Counts tokens, over a connection of its own: it takes longer than any other statement may. One count at a time. */
export function tokenCounter(database: Database): TokenCounter {
  const count = gather<Count, readonly number[]>(async ([wanted]) => [await countOne(database, wanted as Count)], {
    batchMax: 1,
    lanes: 1,
    waitingMax: 4,
  });
  return { countBeyond: (tenantId, limits, signal) => count({ tenantId, limits }, signal) };
}

async function countOne(database: Database, { tenantId, limits }: Count): Promise<readonly number[]> {
  const client = await database.connect();
  try {
    await run(client, { text: `set statement_timeout = '${timeout}'` });
    const fields = limits.map(({ appId, audience, usage, scopes, ttlMax, methods, confirmations }, at) => ({
      ...{ at, app_id: appId, audience, usage, scopes, ttl_max: ttlMax, methods, confirmations },
    }));
    const rows = await run(client, { text: countStatement, values: [tenantId, JSON.stringify(fields)] });
    const counts = new Map(rows as unknown as [number, number][]);
    return limits.map((_, at) => counts.get(at) ?? 0);
  } catch (error) {
    throw new StoreUnavailable(error);
  } finally {
    await client.end();
  }
}
