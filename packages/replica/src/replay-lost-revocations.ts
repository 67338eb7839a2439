import {
  Chain,
  parseRevision,
  type ReplayEvents,
  type Replayed,
  ReplayRefused,
  replayRevocations,
} from '@touchstone/core';
import { auditCodec, publishedRevisions, revisionCodec } from '@touchstone/events';
import { dataKeyStore, openDatabase, restoredHistory, revocationWriter } from '@touchstone/store-postgres';
import { DataKeys, openInstallationKeys } from '@touchstone/token-methods';
import { type KeyEncryptionConfig, openKeyEncryptions } from './key-encryptions.ts';

export interface ReplayOptions {
  /** The login that migrates. */
  readonly databaseUrl: string;
  readonly keys: KeyEncryptionConfig;
  readonly brokers: readonly string[];
  readonly fenceMilliseconds: number;
  /** The revision to replay to, where the topic has several ends; null: its only end. */
  readonly to: string | null;
}

/**
 * Brings a restored database to where its history had come to, by the topic of revisions.
 * @throws ReplayRefused, KafkaUnavailable, StoreUnavailable, MasterKeyUnusable
 */
export async function replayLostRevocations(options: ReplayOptions, events: ReplayEvents): Promise<Replayed> {
  const { databaseUrl: url, brokers, fenceMilliseconds } = options;
  const to = options.to === null ? null : parseRevision(options.to);
  if (options.to !== null && !to) throw new ReplayRefused('--to: this is no revision');
  const encryptions = await openKeyEncryptions(options.keys);
  const applicationName = 'touchstone replay-revocations';
  await using database = openDatabase({ url, applicationName, connectionsMax: 1 });
  const keys = await openInstallationKeys(new DataKeys(dataKeyStore(database), encryptions));
  const chain = new Chain(keys.mac, revisionCodec);
  const history = restoredHistory(database, { chain, codec: auditCodec, fenceMilliseconds });
  const revocations = revocationWriter(database, { chain, codec: auditCodec, instanceId: 'replay' });
  const topic = publishedRevisions({ brokers, clientId: 'touchstone-replay', log: () => {} });
  return await replayRevocations(to, { topic, history, revocations, chain }, events);
}
