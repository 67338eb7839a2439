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

/** The keys of an installation, as its services have them. */
export async function installationKeys({ adminUrl, masterKeyFile }: InstallationKeysSource): Promise<KeyRing> {
  await using database = openDatabase({ url: adminUrl, applicationName: 'test keys', connectionsMax: 1 });
  const encryption = fileKeyEncryption(await readMasterKeyFile(masterKeyFile));
  return await openInstallationKeys(new DataKeys(dataKeyStore(database), [encryption]));
}

export const keysOf = ({ postgres, masterKeyFile }: Stack): Promise<KeyRing> =>
  installationKeys({ adminUrl: postgres.adminUrl, masterKeyFile });
