import { type AuditRecord, type Outbox, type OutboxLeader, StoreUnavailable } from '@touchstone/core';
import type pg from 'pg';
import { locks } from './advisory-locks.ts';
import { close, type Database, type Query, type Row, run } from './database.ts';
import { millisecondsOf } from './instants.ts';
import { outboxBlock } from './partitions.ts';

/** Of what is large less is read: one revision or event goes at any rate. */
const bytesAtOnce = 4_194_304;

const revisionsStatement = `
  with next as (
    select * from revision r where r.revision > (select revision from relay_position) order by r.revision limit $1
  ),
  sized as (select *, sum(octet_length(content)) over (order by revision) as bytes from next)
  select revision, hash, previous_hash, content, ${millisecondsOf('recorded_at')}
    from sized where bytes - octet_length(content) < ${bytesAtOnce} order by revision`;

/** The events that wait to be published. */
export function outbox(database: Database): Outbox {
  return {
    async lead() {
      const connection = await database.connect();
      const [row] = await run(connection, { text: 'select pg_try_advisory_lock($1)', values: [locks.relay] }).catch(
        () => [],
      );
      if (row?.[0] === true) return outboxLeader(database, connection);
      await close(connection);
      return null;
    },
  };
}

/**
 * Reads and marks over the connection that holds the lock: another one may lead to another server, which tells of other
 * events.
 */
function outboxLeader(database: Database, connection: pg.Client): OutboxLeader {
  const lost = new AbortController();
  connection.once('end', () => lost.abort());
  connection.once('error', () => lost.abort());

  const ask: Query = (statement) =>
    run(connection, statement).catch((error) => {
      throw new StoreUnavailable(error);
    });

  /** Forward only. */
  const mark = (to: string, from: string, values: readonly unknown[]) =>
    ask({ text: `update relay_position set ${to} where ${from}`, values });

  const backend = ask({ text: 'select pg_backend_pid()' }).then(([row]) => row?.[0]);
  backend.catch(() => {});

  /** Where nothing waits, that may be so on a server that has been cut off, while others write elsewhere. */
  async function requireHeldWhereOthersWrite(): Promise<void> {
    const text = `
      select exists (select from pg_locks where locktype = 'advisory' and objid = ${locks.relay} and granted and pid = $1)`;
    const [row] = await database.query({ text, values: [await backend] });
    if (row?.[0]) return;
    lost.abort();
    throw new StoreUnavailable(new Error('the lock of the relay is held on another server'));
  }

  let last: { transactionId: string; id: number } | null = null;

  return {
    lost: lost.signal,

    async nextRevisions(limit) {
      const rows = await ask({ name: 'relay revisions', text: revisionsStatement, values: [limit] });
      if (rows.length === 0) await requireHeldWhereOthersWrite();
      return rows.map(([revision, hash, previousHash, content, recordedAt]) => ({
        revision: revision as number,
        hash: hash as string,
        previousHash: previousHash as string,
        content: content as Buffer,
        recordedAt: recordedAt as number,
      }));
    },

    async markRevisions(revision) {
      await mark('revision = $1', 'revision < $1', [revision]);
    },

    async nextAuditRecords(limit) {
      const rows = await readAudit(ask, limit);
      if (rows.length === 0) await requireHeldWhereOthersWrite();
      const end = rows.at(-1);
      last = end ? { transactionId: end[0] as string, id: end[1] as number } : null;
      return rows.map(auditRecordOf);
    },

    async markAuditRecords() {
      if (!last) return;
      const to = 'transaction_id = $1::xid8, outbox_id = $2';
      await mark(to, '(transaction_id, outbox_id) < ($1::xid8, $2)', [last.transactionId, last.id]);
    },

    async [Symbol.asyncDispose]() {
      await close(connection);
    },
  };
}

/**
 * In the order of transactions, and only of those that no open one can still come before. An id may be drawn long before
 * its transaction commits, but not as long as a whole partition takes to fill: one partition back is far enough, and one
 * beyond the last id drawn.
 */
async function readAudit(query: Query, limit: number): Promise<Row[]> {
  const [position] = await query({
    name: 'relay position',
    text: 'select transaction_id::text, outbox_id, (select last_value from outbox_id) from relay_position',
  });
  const [transactionId, id, lastDrawn] = position as [string, number, number];
  const from = Math.max(0, Math.floor(id / outboxBlock) - 1) * outboxBlock;
  const to = (Math.floor(lastDrawn / outboxBlock) + 2) * outboxBlock;
  return query({
    // Not prepared: with the bound in its text the plan leaves out the partitions before it.
    text: `with next as (
             select * from outbox o
              where o.id >= ${from} and o.id < ${to}
                and (o.transaction_id, o.id) > ($1::xid8, $2)
                and o.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
              order by o.transaction_id, o.id limit $3
           ),
           sized as (select *, sum(octet_length(payload)) over (order by transaction_id, id) as bytes from next)
           select transaction_id::text, id, event_id, tenant_id, payload,
                  ${millisecondsOf('occurred_at')}, writer, writer_sequence
             from sized where bytes - octet_length(payload) < ${bytesAtOnce} order by sized.transaction_id, id`,
    values: [transactionId, id, limit],
  });
}

function auditRecordOf(row: Row): AuditRecord {
  const [eventId, tenantId, payload, occurredAt, writer, writerSequence] = row.slice(2);
  return { eventId, tenantId, payload, occurredAt, writer, writerSequence } as AuditRecord;
}
