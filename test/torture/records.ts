import { formatRevision, genesis, parseTokenId, tokenIdOf } from '@touchstone/core';
import pg from 'pg';
import { isLost, mayBeLost, type Recorded } from './recorded.ts';

const statement = `
  select expiry_day, replace(id::text, '-', '') as key, sequence, signing_key_id
    from touchstone.token where id = any($1::uuid[])`;

const deadlocksStatement = `
  select deadlocks::int from pg_stat_database where datname = current_database()`;

/** It stops, starts, or has crashed: operator_intervention. */
const isAway = ({ code }: pg.DatabaseError): boolean => code?.startsWith('57P') === true;

/**
 * Reads from the database what no answer tells of a token: its sequence, and the key that signed it. Of one whose record was
 * lost when the database was put back, they stay unknown. And whether it has met a deadlock, which it never must.
 * @returns false where the database is away, or has not answered in time.
 */
export async function readRecords(adminUrl: string, recorded: Recorded): Promise<boolean> {
  const { events, unread } = recorded;
  const wanted = [...unread];
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000, query_timeout: 5_000 });
  client.on('error', () => {}); // The server is killed under it.
  try {
    await client.connect();
    const keys = wanted.map(([tokenId]) => parseTokenId(tokenId)?.key);
    const { rows } = await client.query(statement, [keys]);
    const read = new Map(rows.map((row) => [tokenIdOf({ partition: row.expiry_day, key: row.key }), row]));
    for (const [tokenId, at] of wanted) {
      const [issued, row] = [events[at], read.get(tokenId)];
      unread.delete(tokenId);
      if (issued?.type !== 'issued') continue;
      if (!row) {
        if (!mayBeLost(recorded, issued)) recorded.unexpected.push('a token that was issued has no record');
        continue;
      }
      const { signingKeyId } = issued;
      // Empty: its string does not tell.
      if (signingKeyId !== '' && signingKeyId !== row.signing_key_id)
        recorded.unexpected.push('a record names another key than its token');
      events[at] = { ...issued, sequence: Number(row.sequence), signingKeyId: row.signing_key_id };
    }
    const [{ deadlocks }] = (await client.query(deadlocksStatement)).rows;
    // Who revokes waits for a second then, with all who revoke anything else, and fails.
    if (deadlocks > recorded.deadlocks) recorded.unexpected.push('the database met a deadlock');
    recorded.deadlocks = deadlocks;
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && !isAway(error)) throw error;
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

const atOnce = 5_000;

/** Whether all that was issued is there in the end, and every revision that was told: what else there is, is noted. */
export async function requireKept(adminUrl: string, recorded: Recorded): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const kept = recorded.events.flatMap((event) => {
      if (event.type !== 'issued' || event.method === 'refresh_token' || mayBeLost(recorded, event)) return [];
      return parseTokenId(event.tokenId)?.key ?? [];
    });
    for (let from = 0; from < kept.length; from += atOnce) {
      const keys = kept.slice(from, from + atOnce);
      const { rows } = await client.query(statement, [keys]);
      if (rows.length < keys.length) recorded.unexpected.push('a token that was issued has no record in the end');
    }
    const { rows } = await client.query('select revision::int, hash from touchstone.revision');
    const there = new Set([genesis, ...rows].map(formatRevision));
    for (const text of recorded.revisions) {
      if (!there.has(text) && !isLost(recorded, text)) recorded.unexpected.push('a revision was told that is none');
    }
  } finally {
    await client.end();
  }
}
