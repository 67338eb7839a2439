import { type AuditCodec, type AuditEvent, type AuditWriter, gather } from '@touchstone/core';
import type { Database, Query } from './database.ts';
import { OutboxWriter, outboxFields } from './outbox-rows.ts';

const insertStatement = `
  insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
  select e.event_id, e.tenant_id, e.payload, e.occurred_at, $2, $3 + e.ordinal
    from rows from (json_to_recordset($1) as (${outboxFields}, tenant_id text)) with ordinality
      as e (event_id, payload, occurred_at, tenant_id, ordinal)`;

/** Stores events in a transaction of the caller's. */
export async function insertEvents(
  query: Query,
  writer: OutboxWriter,
  events: readonly AuditEvent[],
  occurredAt: number,
): Promise<void> {
  const fields = events.map((event) => writer.fieldsOf(event, occurredAt));
  await query({ name: 'outbox', text: insertStatement, values: [JSON.stringify(fields), writer.name, writer.count] });
}

/** Writes events that go with no other write, gathered. */
export function auditWriter(database: Database, instanceId: string, codec: AuditCodec): AuditWriter {
  const writer = new OutboxWriter(instanceId, codec);
  const record = gather<AuditEvent, void>(
    async (events) => {
      await writer.writing(async () => {
        await insertEvents(database.write, writer, events, Date.now());
        return { written: events.length };
      });
      return events.map(() => undefined);
    },
    { batchMax: 500, lanes: 1, waitingMax: 20_000 },
  );
  return { record };
}
