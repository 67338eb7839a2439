import {
  type AuditEvent,
  type Change,
  composeChange,
  EtagStale,
  inTurnOfEach,
  type Mac,
  type PolicyStore,
  type PolicyWritten,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import type { Database } from './database.ts';
import { advanceHistory, lockHistory } from './history-writer.ts';
import { millisecondsOf } from './instants.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { type KeptPolicy, policyColumns, policyMacOf, policyOf, readPolicy } from './policy-rows.ts';
import { raiseVersion } from './registry-writer.ts';
import type { RevocationWriterOptions } from './revocation-writer.ts';

const listStatement = `
  select ${policyColumns} from policy p
   where p.tenant_id = $1 and ($2::int is null or p.version < $2) order by p.version desc limit $3`;

export interface PolicyStoreOptions extends RevocationWriterOptions {
  readonly mac: Mac;
}

interface Writing {
  readonly next: KeptPolicy;
  readonly event: AuditEvent;
  readonly change: Change | null;
}

const tenantOf = ({ next }: Writing): string => next.policy.tenantId;

/** Policies: every version that there was. */
export function policyStore(database: Database, { chain, mac, codec, instanceId }: PolicyStoreOptions): PolicyStore {
  const outbox = new OutboxWriter(instanceId, codec);

  const write = inTurnOfEach(tenantOf, async ({ next, event, change }: Writing): Promise<PolicyWritten> => {
    const { tenantId, version } = next.policy;
    const text = JSON.stringify(next);
    const { recordedAt, head } = await outbox.writing(() =>
      database.of([tenantId]).transaction(async (query) => {
        // Before the tenant, as everybody takes them.
        const revision = change && composeChange(await lockHistory(query, chain), change, chain);
        await raiseVersion(query, tenantId);
        const [row] = await query({
          text: `insert into policy (tenant_id, version, entry, mac)
                 select $1, $2, $3, $4
                  where $2 - 1 = (select coalesce(max(version), 0) from policy where tenant_id = $1)
                 returning ${millisecondsOf('recorded_at')}`,
          values: [tenantId, version, text, policyMacOf(mac, tenantId, version, text)],
        });
        if (!row) throw new EtagStale('version');
        if (revision) await advanceHistory(query, revision, chain, outbox);
        await insertEvents(query, outbox, [event], row[0] as number);
        return { recordedAt: row[0] as number, head: revision?.revision ?? null, written: 1 };
      }),
    );
    return { recordedAt, head };
  });

  return {
    read: (tenantId, version) => readPolicy(database, mac, tenantId, version),

    async list(tenantId, before, limit) {
      const rows = await database
        .of([tenantId])
        .query({ name: 'policies', text: listStatement, values: [tenantId, before, limit] });
      return rows.map((row) => policyOf(row, mac));
    },

    write: (next, event, change) => write({ next, event, change }),
  };
}
