import { type AuditCodec, type AuditEvent, type AuditWriter, gather, platformTenantId } from '@touchstone/core';
import type { Database, Query } from './database.ts';
import { OutboxWriter, outboxFields } from './outbox-rows.ts';

/** Stores events. The parameters: those that `eventValues` gives. */
export const recording = (events: string, writer: string, count: string): string => `
  insert into outbox (event_id, tenant_id, payload, occurred_at, writer, writer_sequence)
  select e.event_id, e.tenant_id, e.payload, e.occurred_at, ${writer}, ${count} + e.ordinal
    from rows from (json_to_recordset(${events}) as (${outboxFields}, tenant_id text)) with ordinality
      as e (event_id, payload, occurred_at, tenant_id, ordinal)`;

export const eventValues = (
  writer: OutboxWriter,
  events: readonly AuditEvent[],
  occurredAt: number,
): [events: string, writer: string, count: number] => {
  const fields = events.map((event) => writer.fieldsOf(event, occurredAt));
  return [JSON.stringify(fields), writer.name, writer.count];
};

/** Stores events in a transaction of the caller's. */
export async function insertEvents(
  query: Query,
  writer: OutboxWriter,
  events: readonly AuditEvent[],
  occurredAt: number,
): Promise<void> {
  await query({ name: 'outbox', text: recording('$1', '$2', '$3'), values: eventValues(writer, events, occurredAt) });
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
    { keyOf: ({ tenantId }) => tenantId ?? platformTenantId },
  );
  return { record };
}
