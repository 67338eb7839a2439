import { availableParallelism } from 'node:os';
import type { Stack } from '@touchstone/local-stack';
import pg from 'pg';
import { insertColumns } from '../../../packages/store-postgres/src/token-rows.ts';
import type { Bench } from '../measure.ts';
import { type Holder, reporter, settle } from '../seed.ts';

const copyRows = 50_000;

/** As the records that are there, each with an id, a hash and a sequence of its own; but nobody has their tokens. */
const copyStatement = `
  insert into touchstone.token (${insertColumns})
  select t.expiry_day, gen_random_uuid(), t.token_class, $1, $2, t.user_handle, t.consent_id, $3, t.scopes, t.usage, t.method,
         t.signing_key_id, t.policy_version, t.confirmation, t.lineage, nextval('touchstone.token_sequence'), t.issued_at,
         t.expires_at, sha256(uuid_send(gen_random_uuid())), t.tag_key_id, t.seal_key_id, t.sealed
    from (select * from touchstone.token where token_class = 'token' limit 1000) t, generate_series(1, $4::int / 1000)`;

/** Puts so many live records of the holder's beside those that there are: thousands, and quicker than tokens are made. */
export async function copyRecords(
  { signal, onProgress }: Pick<Bench, 'signal' | 'onProgress'>,
  { postgres: { adminUrl } }: Stack,
  count: number,
  { tenantId, appId, audience }: Holder,
): Promise<void> {
  const report = reporter(onProgress, count);
  let left = count;
  const copy = async () => {
    const client = new pg.Client({ connectionString: adminUrl, application_name: 'bench copies' });
    await client.connect();
    try {
      while (left > 0) {
        signal.throwIfAborted();
        const rows = Math.min(copyRows, left);
        left -= rows;
        await client.query(copyStatement, [tenantId, appId, audience, rows]);
        report(rows);
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, copy));
  await settle(adminUrl);
}
