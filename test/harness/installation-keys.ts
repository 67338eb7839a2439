import type { Stack } from '@touchstone/local-stack';
import { dataKeyStore, openDatabase } from '@touchstone/store-postgres';
import {
  DataKeys,
  fileKeyEncryption,
  type KeyRing,
  openInstallationKeys,
  readMasterKeyFile,
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

/** The keys of an installation, as its services have them. */
export const installationKeys = (source: InstallationKeysSource): Promise<KeyRing> =>
  withDataKeys(source, openInstallationKeys);

export const keysOf = ({ postgres, masterKeyFile }: Stack): Promise<KeyRing> =>
  installationKeys({ adminUrl: postgres.adminUrl, masterKeyFile });
