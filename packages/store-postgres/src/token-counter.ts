import { type AlikeTokens, StoreUnavailable, type TokenCounter } from '@touchstone/core';
import { type Database, run } from './database.ts';

/** Goes through all tokens there are: there is no index by tenant, since nothing that is often asked needs one. */
const countStatement = `
  select t.app_id, t.audience, t.usage, t.scopes, t.method,
         case when t.confirmation is null then null when t.confirmation like '{"jkt"%' then 'key' else 'certificate' end as kind,
         floor(extract(epoch from t.expires_at - t.issued_at))::bigint as ttl, count(*)
    from token t
   where t.tenant_id = $1 and t.token_class = 'token' and t.audience <> 'touchstone:refresh'
     and t.app_id is not null and t.expires_at > now()
   group by t.app_id, t.audience, t.usage, t.scopes, t.method, kind, ttl`;
/** Enough for ten million tokens on a small machine. */
const timeout = '120s';

/** Counts tokens that are alike, over a connection of its own: it takes longer than any other statement may. */
export function tokenCounter(database: Database): TokenCounter {
  return {
    async countAlike(tenantId) {
      const client = await database.connect();
      try {
        await run(client, { text: `set statement_timeout = '${timeout}'` });
        const rows = await run(client, { text: countStatement, values: [tenantId] });
        return rows.map(
          ([appId, audience, usage, scopes, method, confirmation, ttl, count]) =>
            ({ appId, audience, usage, scopes, method, confirmation, ttl, count }) as AlikeTokens,
        );
      } catch (error) {
        throw new StoreUnavailable(error);
      } finally {
        await client.end();
      }
    },
  };
}
