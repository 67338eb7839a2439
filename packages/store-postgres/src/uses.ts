import type { Use, UseReader, UseWriter } from '@touchstone/core';
import type { Database } from './database.ts';
import { millisecondsOf } from './instants.ts';

const writeScopes = `
  insert into scope_use (app_id, audience, scope, last_used_at)
  select u.app_id, u.audience, u.scope, now() from json_to_recordset($1) as u (app_id text, audience text, scope text)
   order by 1, 2, 3
  on conflict (app_id, audience, scope) do update set last_used_at = excluded.last_used_at`;
const writeConsents = `
  insert into consent_use (consent_id, last_used_at) select c, now() from unnest($1::text[]) c order by 1
  on conflict (consent_id) do update set last_used_at = excluded.last_used_at`;

/** Only what is some minutes older: several validators may have noted the same. */
const writeTokens = `
  insert into token_use (id, expires_at, last_used_at)
  select u.id, u.expires_at, now() from unnest($1::uuid[], $2::timestamptz[]) as u (id, expires_at) order by 1
  on conflict (id) do update set last_used_at = excluded.last_used_at
   where token_use.last_used_at < excluded.last_used_at - interval '5 minutes'`;

/** When tokens, and what was granted, were used last. */
export function useWriter(database: Database): UseWriter {
  return {
    // In the order of their keys: two validators that write the same rows in another order would wait for ever.
    async write(uses) {
      const of = <Kind extends Use['kind']>(kind: Kind) =>
        uses.filter((use): use is Extract<Use, { kind: Kind }> => use.kind === kind);
      const scopes = of('scope').map(({ appId, audience, scope }) => ({ app_id: appId, audience, scope }));
      if (scopes.length > 0)
        await database.query({ name: 'use scopes', text: writeScopes, values: [JSON.stringify(scopes)] });
      const consents = of('consent').map(({ consentId }) => consentId);
      if (consents.length > 0) await database.query({ name: 'use consents', text: writeConsents, values: [consents] });
      const tokens = of('token');
      if (tokens.length > 0) {
        const ends = tokens.map(({ expiresAt }) => new Date(expiresAt));
        await database.query({ name: 'use tokens', text: writeTokens, values: [tokens.map(({ key }) => key), ends] });
      }
    },
  };
}

export function useReader(database: Database): UseReader {
  return {
    async scopesUsed(appIds) {
      const text = `select app_id, audience, scope, ${millisecondsOf('last_used_at')}
                      from scope_use where app_id = any($1)`;
      const rows = await database.query({ name: 'scopes used', text, values: [appIds] });
      return rows.map(([appId, audience, scope, lastUsedAt]) => ({ appId, audience, scope, lastUsedAt }) as never);
    },

    async consentsUsed(consentIds) {
      const text = `select consent_id, ${millisecondsOf('last_used_at')}
                      from consent_use where consent_id = any($1)`;
      const rows = await database.query({ name: 'consents used', text, values: [consentIds] });
      return new Map(rows as unknown as [string, number][]);
    },

    async tokenUsed(key) {
      const text = `select ${millisecondsOf('last_used_at')} from token_use where id = $1`;
      const [row] = await database.query({ name: 'token used', text, values: [key] });
      return row ? (row[0] as number) : null;
    },
  };
}
