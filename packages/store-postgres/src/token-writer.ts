import {
  type AuditCodec,
  type AuditEvent,
  type Birth,
  gather,
  type NewTokenRecord,
  StoreUnavailable,
  type TokenWriter,
} from '@touchstone/core';
import { type Database, StatementRefused } from './database.ts';
import { OutboxWriter, outboxFields } from './outbox-rows.ts';
import { fieldsOf, insertColumns, recordFields } from './token-rows.ts';

const drawStatement = `
  select nextval('token_sequence'), (extract(epoch from now()) * 1000)::bigint from generate_series(1, $1::int)`;

/**
 * Inserts the rows whose tenant's registry still is at the version they were decided under - credentials, which no
 * registry decides, have version 0 - and whose consent has not been withdrawn, and an event for each of them. Returns the
 * ids that were inserted.
 */
const insertStatement = `
  with wanted as (select * from json_to_recordset($1) as r (${recordFields}, ${outboxFields})),
  inserted as (
    insert into token (${insertColumns})
    select ${insertColumns} from wanted w
     where (w.policy_version = 0
            or w.policy_version = (select n.registry_version from tenant n where n.tenant_id = w.tenant_id))
       and (w.consent_id is null
            or exists (select from consent c where c.consent_id = w.consent_id and c.disabled_revision is null))
    on conflict do nothing
    returning id
  ),
  recorded as (
    insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
    select w.event_id, w.tenant_id, w.payload, w.occurred_at, $2, $3 + row_number() over ()
      from inserted join wanted w using (id)
  )
  select id from inserted`;

interface Insertion {
  readonly record: NewTokenRecord;
  readonly event: AuditEvent;
}

/** Issues: concurrent requests are gathered into one statement, and each is answered after its commit. */
export function tokenWriter(database: Database, instanceId: string, codec: AuditCodec): TokenWriter {
  const writer = new OutboxWriter(instanceId, codec);

  async function insertAll(insertions: readonly Insertion[]): Promise<{ ids: Set<string>; written: number }> {
    const rows = insertions.map(({ record, event }) => ({
      ...fieldsOf(record),
      ...writer.fieldsOf(event, record.issuedAt),
    }));
    const values = [JSON.stringify(rows), writer.name, writer.count];
    const inserted = await database.write({ name: 'issue', text: insertStatement, values });
    return { ids: new Set(inserted.map(([id]) => (id as string).replaceAll('-', ''))), written: inserted.length };
  }

  async function insertEach(insertions: readonly Insertion[]): Promise<(boolean | Error)[]> {
    try {
      const { ids } = await writer.writing(() => insertAll(insertions));
      return insertions.map(({ record }) => ids.has(record.key.key));
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      // One row that the database refuses must not fail the others: alone, each shows which it is.
      if (insertions.length === 1) return [new StoreUnavailable(error)];
      const outcomes: (boolean | Error)[] = [];
      for (const one of insertions) outcomes.push(...(await insertEach([one])));
      return outcomes;
    }
  }

  const draw = gather<null, Birth>(
    async (requests) => {
      const rows = await database.query({ name: 'draw', text: drawStatement, values: [requests.length] });
      return rows.map(([sequence, now]) => ({ sequence: sequence as number, now: now as number }));
    },
    { batchMax: 1_000, lanes: 1, waitingMax: 20_000 },
  );
  // One at a time, for the sake of the events' count; what arrives meanwhile makes the next batch the larger.
  const insert = gather(insertEach, { batchMax: 500, lanes: 1, waitingMax: 20_000 });

  return {
    draw: (signal) => draw(null, signal),
    insert: (record, event, signal) => insert({ record, event }, signal),
  };
}
