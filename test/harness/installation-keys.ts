import type { UserHandles } from '@touchstone/core';
import type { Stack } from '@touchstone/local-stack';
import { dataKeyStore, openDatabase, tenantKeyReader } from '@touchstone/store-postgres';
import {
  DataKeys,
  fileKeyEncryption,
  type KeyRing,
  openInstallationKeys,
  readMasterKeyFile,
  userHandles,
} from '@touchstone/token-methods';

/** Where the keys of an installation are. */
export interface InstallationKeysSource {
  readonly adminUrl: string;
  readonly masterKeyFile: string;
}

/** Works with the data keys of an installation, as its services have them. */
export async function withDataKeys<Result>(
  { adminUrl, masterKeyFile }: InstallationKeysSource,
  work: (dataKeys: DataKeys) => Promise<Result>,
): Promise<Result> {
  await using database = openDatabase({ url: adminUrl, applicationName: 'test keys', connectionsMax: 1 });
  const encryption = fileKeyEncryption(await readMasterKeyFile(masterKeyFile));
  return await work(new DataKeys(dataKeyStore(database), [encryption]));
}

/** The handles of users, as the services of an installation make them. */
export async function openHandles({
  adminUrl,
  masterKeyFile,
}: InstallationKeysSource): Promise<UserHandles & AsyncDisposable> {
  const database = openDatabase({ url: adminUrl, applicationName: 'test handles', connectionsMax: 1 });
  const encryption = fileKeyEncryption(await readMasterKeyFile(masterKeyFile));
  const dataKeys = new DataKeys(dataKeyStore(database), [encryption]);
  const handles = userHandles(await openInstallationKeys(dataKeys), dataKeys, tenantKeyReader(database));
  return { ...handles, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

/** The keys of an installation, as its services have them. */
export const installationKeys = (source: InstallationKeysSource): Promise<KeyRing> =>
  withDataKeys(source, openInstallationKeys);

export const keysOf = ({ postgres, masterKeyFile }: Stack): Promise<KeyRing> =>
  installationKeys({ adminUrl: postgres.adminUrl, masterKeyFile });
