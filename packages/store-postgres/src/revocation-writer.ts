import {
  type AuditCodec,
  type Chain,
  type ComposedRevision,
  composeRevision,
  type DisabledKind,
  gather,
  platformTenantId,
  type RevisionContent,
  type Revocation,
  type RevocationIntent,
  type RevocationWriter,
  type SealedRevision,
  StoreUnavailable,
} from '@touchstone/core';
import { type Database, type Query, type Row, type Statement, StatementRefused } from './database.ts';
import { advanceHistory, lockHistory } from './history-writer.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { versionRaised } from './registry.ts';

export interface RevocationWriterOptions {
  readonly chain: Chain;
  readonly codec: AuditCodec;
  readonly instanceId: string;
  /** Hears of each revision once it is safe. */
  readonly onCommitted?: (sealed: SealedRevision, content: RevisionContent) => void;
}

/** Writes revocations: what is wanted at the same time becomes one revision. */
export function revocationWriter(
  database: Database,
  { chain, codec, instanceId, onCommitted = () => {} }: RevocationWriterOptions,
): RevocationWriter {
  const outbox = new OutboxWriter(instanceId, codec);

  async function writeAll(intents: readonly RevocationIntent[]): Promise<readonly (Revocation | Error)[]> {
    const { outcomes, write } = await outbox.writing(() =>
      database.of(tenantsOf(intents)).transaction(async (query) => {
        const locked = await lockHistory(query, intents, chain);
        const composed = composeRevision(locked, intents, chain);
        if (composed.write) await writeRevision(query, composed.write, outbox, chain);
        return { ...composed, written: composed.write?.events.length ?? 0 };
      }, 'reads first'),
    );
    if (write) onCommitted(write.revision, write.content);
    return outcomes;
  }

  async function writeEach(intents: readonly RevocationIntent[]): Promise<readonly (Revocation | Error)[]> {
    try {
      return await writeAll(intents);
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      if (intents.length === 1) throw new StoreUnavailable(error);
      // One that the database refuses must not keep the others from being revoked: alone, each shows which it is.
      const outcomes: (Revocation | Error)[] = [];
      for (const intent of intents) {
        const [outcome] = await writeEach([intent]).catch((failure: Error) => [failure]);
        outcomes.push(outcome as Revocation | Error);
      }
      return outcomes;
    }
  }

  // The lock lets one transaction at a time through anyway. Tenants take turns: whoever revokes much keeps no other one waiting.
  const write = gather(writeEach, { batchMax: 500, lanes: 1, waitingMax: 20_000 }, { keyOf: tenantOf });

  return { write: (intent) => write(intent) };
}

/** What is about all tenants is the platform's own. */
const tenantOf = ({ tenantId }: RevocationIntent): string => tenantId ?? platformTenantId;
const tenantsOf = (intents: readonly RevocationIntent[]): string[] => [...new Set(intents.map(tenantOf))];

type Write = NonNullable<ComposedRevision['write']>;

async function writeRevision(query: Query, write: Write, outbox: OutboxWriter, chain: Chain): Promise<void> {
  await Promise.all([advanceHistory(query, write, chain, outbox), ...disableEntries(query, write)]);
}

function disableEntries(query: Query, { intents, revision }: Write): Promise<Row[]>[] {
  return intents.flatMap(({ disables, tenantId }) => {
    if (!disables) return [];
    const disabling = disablingOf(disables, revision.revision);
    const raising = { text: `update tenant set ${versionRaised} where tenant_id = $1`, values: [tenantId] };
    // Whoever inserts a token looks at its consent: the other tokens of the tenant need not be decided anew. Else the tenant
    // comes first, as it does for who rotates its keys: two who took the same rows in another order would wait for ever.
    return (disables.what === 'consent' ? disabling : [raising, ...disabling]).map(query);
  });
}

/** What ends something for good, a consent together with its key. */
export function disablingOf(
  { what, id }: { readonly what: DisabledKind; readonly id: string },
  revision: number,
): Statement[] {
  const [table, column] = {
    tenant: ['tenant', 'tenant_id'],
    app: ['app', 'app_id'],
    resource_server: ['resource_server', 'audience'],
    consent: ['consent', 'consent_id'],
    signing_key: ['signing_key', 'signing_key_id'],
  }[what] as [string, string];
  const disabling = {
    text: `update ${table} set disabled_revision = $1 where ${column} = $2 and disabled_revision is null`,
    values: [revision, id],
  };
  const shredding = { text: 'delete from consent_key where consent_id = $1', values: [id] };
  return what === 'consent' ? [disabling, shredding] : [disabling];
}
