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
  type TokenRevocation,
  type TokenRevoked,
  tokenIdOf,
} from '@touchstone/core';
import { type Database, type Query, type Row, type Statement, StatementRefused } from './database.ts';
import { advanceHistory, completed, lockHistory } from './history-writer.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { type ByPartition, partitionsReader, type RecordsByKey, recordFor, recordsOf } from './record-reader.ts';
import { versionRaised } from './registry.ts';

export interface RevocationWriterOptions {
  readonly chain: Chain;
  readonly codec: AuditCodec;
  readonly instanceId: string;
  /** Hears of each revision once it is safe. */
  readonly onCommitted?: (sealed: SealedRevision, content: RevisionContent) => void;
}

type Request = RevocationIntent | TokenRevocation;

const batchMax = 500;

/** Writes revocations: what is wanted at the same time becomes one revision. */
export function revocationWriter(
  database: Database,
  { chain, codec, instanceId, onCommitted = () => {} }: RevocationWriterOptions,
): RevocationWriter {
  const outbox = new OutboxWriter(instanceId, codec);
  const ofPartitions = partitionsReader(database, true);

  async function writeAll(requests: readonly Request[]): Promise<readonly (TokenRevoked | Error)[]> {
    const { outcomes, write } = await ofPartitions(requests.filter(isOfToken), (byPartition) =>
      outbox.writing(() =>
        database
          .of(tenantsOf(requests))
          .transaction((query) => writeInside(query, requests, byPartition), 'reads first'),
      ),
    );
    if (write) onCommitted(write.revision, write.content);
    return outcomes;
  }

  async function writeInside(query: Query, requests: readonly Request[], byPartition: ByPartition) {
    const targets = requests.flatMap((one) => (isOfToken(one) ? [tokenTargetOf(one)] : one.cuts));
    const locking = lockHistory(query, chain, { targets, intents: requests.filter(isDecided) });
    const reading = recordsOf(query, byPartition);
    // Why the lock was not had says more than that nothing is read without it.
    reading.catch(() => {});
    const atLock = await locking;
    const records = await reading;
    const decided = requests.map((one) => (isOfToken(one) ? decide(one, records, atLock.now) : one));
    const intents = decided.flatMap((one) => (one && !('refused' in one) ? one : []));
    const locked = await completed(query, chain, atLock, intents);
    const composed = composeRevision(locked, intents, chain);
    if (composed.write) await writeRevision(query, composed.write, outbox, chain);
    const outcomeOf = new Map(intents.map((intent, i) => [intent, composed.outcomes[i] as Revocation | Error]));
    const outcomes = decided.map((one) => {
      if (!one) return { revocationId: null, head: locked.head };
      return 'refused' in one ? one.refused : (outcomeOf.get(one) as Revocation | Error);
    });
    return { outcomes, write: composed.write, written: composed.write?.events.length ?? 0 };
  }

  async function writeEach(requests: readonly Request[]): Promise<readonly (TokenRevoked | Error)[]> {
    try {
      return await writeAll(requests);
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      if (requests.length === 1) throw new StoreUnavailable(error);
      // One that the database refuses must not keep the others from being revoked: alone, each shows which it is.
      const outcomes: (TokenRevoked | Error)[] = [];
      for (const request of requests) {
        const [outcome] = await writeEach([request]).catch((failure: Error) => [failure]);
        outcomes.push(outcome as TokenRevoked | Error);
      }
      return outcomes;
    }
  }

  // The lock lets one transaction at a time through anyway. Who asks for the same tenants takes turns with others, so that whoever
  // revokes much keeps nobody else waiting; nor do single tokens what is revoked at once.
  const write = gather(
    writeEach,
    { batchMax, lanes: 1, waitingMax: 20_000 },
    { keyOf: (one) => `${isOfToken(one) ? 'token ' : ''}${tenantsOfOne(one).join(' ')}`, sizeOf },
  );

  return {
    write: (intent) => write(intent) as Promise<Revocation>,
    writeToken: (token, signal) => write(token, signal),
  };
}

const isOfToken = (request: Request): request is TokenRevocation => 'intentOf' in request;
const isDecided = (request: Request): request is RevocationIntent => !isOfToken(request);

const tokenTargetOf = ({ key }: TokenRevocation) =>
  ({ kind: 'token', key: tokenIdOf(key), tokenClass: 'token' }) as const;

/** Those that it may be about: what is about all tenants is the platform's own. */
const tenantsOfOne = (request: Request): readonly string[] =>
  isOfToken(request) ? request.tenantIds : [request.tenantId ?? platformTenantId];
const tenantsOf = (requests: readonly Request[]): string[] => [...new Set(requests.flatMap(tenantsOfOne))];

/** A record is looked for in each of the tenants. Whoever reaches very many has a batch alone. */
const sizeOf = (request: Request): number => Math.min(batchMax, Math.max(1, tenantsOfOne(request).length));

function decide(
  token: TokenRevocation,
  records: RecordsByKey,
  now: number,
): RevocationIntent | null | { readonly refused: Error } {
  try {
    return token.intentOf(recordFor(token, records), now);
  } catch (error) {
    return { refused: error as Error };
  }
}

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
