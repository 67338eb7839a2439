import {
  type AuditEvent,
  composeRelease,
  EtagStale,
  gather,
  type Head,
  type Mac,
  type ResourceServer,
  type ResourceServerWriter,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import type { Database } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { macOf, versionRaised } from './registry.ts';
import { advanceHistory, lockHistory, type RevocationWriterOptions } from './revocation-writer.ts';

export interface ResourceServerWriterOptions extends RevocationWriterOptions {
  readonly mac: Mac;
}

interface Replacement {
  readonly entry: ResourceServer;
  readonly etag: string;
  readonly event: AuditEvent;
}

/** Changes resource servers: what one is shown takes a revision, so that every validator hears of it. */
export function resourceServerWriter(
  database: Database,
  { chain, codec, instanceId, mac }: ResourceServerWriterOptions,
): ResourceServerWriter {
  const outbox = new OutboxWriter(instanceId, codec);

  async function replaceOne({ entry, etag, event }: Replacement): Promise<{ head: Head; etag: string }> {
    const after = macOf(mac, { what: 'resource_server', entry });
    const { head } = await outbox.writing(() =>
      database.transaction(async (query) => {
        const write = composeRelease(await lockHistory(query, [], chain), entry.audience, chain);
        const version = `update tenant set ${versionRaised} where tenant_id = $1`;
        await query({ text: version, values: [entry.tenantId] });
        const replaced = await query({
          text: `update resource_server
                    set display_name = $3, scopes = $4, released_claims = $5, pairwise_sector = $6, exchanges = $7,
                        token_ttl_max = $8, mac = $9
                  where audience = $1 and mac = $2 and disabled_revision is null returning audience`,
          values: [
            entry.audience,
            etag,
            entry.displayName,
            JSON.stringify(entry.scopes),
            JSON.stringify(entry.releasedClaims),
            entry.pairwiseSector,
            JSON.stringify(entry.exchanges),
            entry.tokenTtlMax,
            after,
          ],
        });
        if (replaced.length === 0) throw new EtagStale();
        await advanceHistory(query, write);
        await insertEvents(query, outbox, [event], write.recordedAt);
        return { head: write.revision, written: 1 };
      }),
    );
    return { head, etag: after };
  }

  const replace = gather<Replacement, { head: Head; etag: string }>(
    async ([one]) => [await replaceOne(one as Replacement)],
    { batchMax: 1, lanes: 1, waitingMax: 1_000 },
  );
  return { replace: (entry, etag, event) => replace({ entry, etag, event }) };
}
