import type { Database } from './database.ts';

/** What waits to be published, whether a relay runs or not. */
export interface OutboxBacklog {
  readonly revisions: number;
  /** As numbers were drawn for them: some may not have been used, or not be committed yet. */
  readonly auditEvents: number;
  /** The age of the audit event that is first in line, also while an open transaction holds it back; 0: none waits. */
  readonly auditSeconds: number;
}

/** For the role touchstone_revocation. @throws StoreUnavailable */
export async function readOutboxBacklog(database: Database): Promise<OutboxBacklog> {
  const [row] = await database.query({
    name: 'outbox backlog',
    text: `select h.revision - p.revision, greatest(1, s.last_value - p.outbox_id), first.seconds
             from relay_position p cross join history h cross join outbox_id s
             left join lateral (
               select extract(epoch from now() - o.occurred_at)::float8 as seconds from outbox o
                where (o.transaction_id, o.id) > (p.transaction_id, p.outbox_id) order by o.transaction_id, o.id limit 1
             ) first on true`,
  });
  const [revisions, drawn, seconds] = row as [number, number, number | null];
  if (seconds === null) return { revisions, auditEvents: 0, auditSeconds: 0 };
  return { revisions, auditEvents: drawn, auditSeconds: Math.max(0, seconds) };
}
