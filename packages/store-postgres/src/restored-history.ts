import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AuditCodec,
  type Chain,
  composeReplay,
  type Head,
  type OpenedRevision,
  openAll,
  ReplayRefused,
  type RestoredHistory,
  requireOurs,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import { promotedUpdate } from './census.ts';
import type { Database, Query } from './database.ts';
import { requireWritten } from './history-writer.ts';
import { instantText } from './instants.ts';
import { raiseMarks, readMarks } from './mark-rows.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { disablingOf } from './revocation-writer.ts';
import { lastDrawn } from './token-rows.ts';

export interface RestoredHistoryOptions {
  readonly chain: Chain;
  readonly codec: AuditCodec;
  /** That of the services. */
  readonly fenceMilliseconds: number;
}

const headSelect = 'select revision, hash, digest, mac from history';
/** Looks into the index once for each, and not through the whole history. */
const strangeSelect = `
  select p.position from unnest($1::bigint[], $2::text[]) with ordinality as p (revision, hash, position)
    left join lateral (select r.hash from revision r where r.revision = p.revision limit 1) as r on true
   where r.hash is distinct from p.hash`;

/** A restored database, for the login that migrates: services' logins may not set the sequence. */
export function restoredHistory(
  database: Database,
  { chain, codec, fenceMilliseconds }: RestoredHistoryOptions,
): RestoredHistory {
  const outbox = new OutboxWriter('replay', codec);
  return {
    async head() {
      await requireOwner(database);
      await requireAlone(database);
      await untilSettled(database, fenceMilliseconds);
      return (await readHead(database.query, headSelect, chain)).head;
    },

    async strangeAmong(revisions) {
      if (revisions.length === 0) return [];
      const values = [revisions.map(({ revision }) => revision), revisions.map(({ hash }) => hash)];
      const rows = await database.query({ name: 'strange', text: strangeSelect, values });
      return rows.flatMap(([position]) => revisions[(position as number) - 1] ?? []);
    },

    async holds({ revision, hashStart }) {
      const text = 'select from revision where revision = $1 and starts_with(hash, $2)';
      return (await database.query({ text, values: [revision, hashStart] })).length > 0;
    },

    async isCutOff({ kind, key }) {
      const text = `
        select ${lastDrawn} <= coalesce(
                 (select ceiling from watermark where token_class = 'token' and kind = $1 and key = $2), 0)
          from token_sequence`;
      const [row] = await database.query({ text, values: [kind, key] });
      return row?.[0] === true;
    },

    async append(revisions) {
      await requireAlone(database);
      await outbox.writing(() =>
        database.transaction(async (query) => {
          const stand = await readHead(query, `${headSelect} for update`, chain);
          const opened = openAll(stand.head, revisions, chain);
          const cuts = opened.flatMap(({ content }) => content.cuts);
          const composed = composeReplay({ ...stand, marks: await readMarks(query, cuts) }, opened, chain);
          const { head, digest, mac, marks, disabled, ceiling, event } = composed;
          const [revised, raised, advanced] = await Promise.all([
            insertRevisions(query, opened),
            raiseMarks(query, marks),
            query({
              text: 'update history set revision = $1, hash = $2, digest = $3, mac = $4 returning revision',
              values: [head.revision, head.hash, digest, mac],
            }),
            // Before anything can be issued: this commits with the ceilings, or a number is left out for nothing.
            query({
              text: `select setval('token_sequence', greatest(last_value, $1)) from token_sequence where $1 > 0`,
              values: [ceiling],
            }),
            // They come from the topic.
            query({
              text: 'update relay_position set revision = greatest(revision, $1)',
              values: [head.revision],
            }),
            // Nobody remembers anything of the registry: its version can stay.
            ...disabled.flatMap((one) => disablingOf(one, one.revision)).map(query),
            insertEvents(query, outbox, [event], Date.now()),
          ]);
          requireWritten([revised.length, raised.length, advanced.length], [opened.length, marks.length, 1]);
          return { written: 1 };
        }),
      );
    },
  };
}

interface Stand {
  readonly head: Head;
  readonly digest: string;
  readonly mac: string;
}

async function readHead(query: Query, text: string, chain: Chain): Promise<Stand> {
  const [row] = await query({ text });
  if (!row) throw new Error('the history has not been initialised: this is no database that was restored');
  const [revision, hash, digest, mac] = row as [number, string, string, string];
  const stand = { head: { revision, hash }, digest, mac };
  requireOurs(stand, chain);
  return stand;
}

/** Of others row-level security would hide what is to be disabled. */
async function requireOwner(database: Database): Promise<void> {
  const [row] = await database.query({ text: `select row_security_active('consent')` });
  if (row?.[0])
    throw new ReplayRefused('DATABASE_URL must be of the login that migrates: this one does not see all rows');
}

/** What they answer rests on a history that lacks what is to be replayed, and what they issue would be refused by it. */
async function requireAlone(database: Database): Promise<void> {
  const text = `
    select distinct application_name from pg_stat_activity
     where datname = current_database() and application_name ~ '^touchstone (issuer|validator|revocation|upkeep)$'`;
  const connected = (await database.query({ text })).map(([name]) => name);
  if (connected.length > 0) {
    throw new ReplayRefused(`stop the services first: ${connected.join(', ')} is connected to the database`);
  }
}

/** A database that was recovered to a point in time takes no revision until the fence has run out, as a promoted one. */
async function untilSettled(database: Database, fenceMilliseconds: number): Promise<void> {
  await database.write({ text: promotedUpdate('$1'), values: [fenceMilliseconds] });
  const text = 'select writes_from <= now() from promotion';
  while (!(await database.query({ text }))[0]?.[0]) await sleep(100);
}

function insertRevisions(query: Query, opened: readonly OpenedRevision[]) {
  const fields = opened.map(({ sealed, content }) => ({
    revision: sealed.revision,
    previous_hash: sealed.previousHash,
    content: `\\x${Buffer.from(sealed.content).toString('hex')}`,
    hash: sealed.hash,
    recorded_at: instantText(content.recordedAt),
  }));
  return query({
    text: `insert into revision (revision, previous_hash, content, hash, recorded_at)
           select * from json_to_recordset($1) as r (revision bigint, previous_hash text, content bytea, hash text,
             recorded_at timestamptz) returning revision`,
    values: [JSON.stringify(fields)],
  });
}
