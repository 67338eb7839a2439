import { type BootstrapCommand, bootstrap, Chain, type IssuedCredential, tokenMethods } from '@touchstone/core';
import { auditCodec, revisionCodec } from '@touchstone/events';
import {
  bootstrapLog,
  dataKeyStore,
  initialiseHistory,
  openDatabase,
  revocationWriter,
  tenantKeyReader,
  tokenWriter,
} from '@touchstone/store-postgres';
import { createInstallationKeys, DataKeys, referenceMethod, userHandles } from '@touchstone/token-methods';
import { type KeyEncryptionConfig, openKeyEncryptions } from './key-encryptions.ts';

export interface BootstrapOptions {
  /** A login that may write everything: the one that migrates. */
  readonly databaseUrl: string;
  readonly keys: KeyEncryptionConfig;
}

/**
 * Makes the installation's data key and begins the history, where those are not there, and makes the first operator's credential.
 * @throws CredentialNotAllowed, StoreUnavailable, MasterKeyUnusable
 */
export async function bootstrapOperator(
  command: BootstrapCommand,
  { databaseUrl, keys: keyConfig }: BootstrapOptions,
): Promise<IssuedCredential> {
  const encryptions = await openKeyEncryptions(keyConfig);
  await using database = openDatabase({ url: databaseUrl, applicationName: 'touchstone bootstrap', connectionsMax: 2 });
  const dataKeys = new DataKeys(dataKeyStore(database), encryptions);
  const keys = await createInstallationKeys(dataKeys);
  const chain = new Chain(keys.mac, revisionCodec);
  await initialiseHistory(database, chain);
  return await bootstrap(command, {
    methods: tokenMethods([referenceMethod(keys)]),
    handles: userHandles(keys, dataKeys, tenantKeyReader(database)),
    tokens: tokenWriter(database, 'bootstrap', auditCodec),
    revocations: revocationWriter(database, { chain, codec: auditCodec, instanceId: 'bootstrap' }),
    log: bootstrapLog(database),
  });
}
