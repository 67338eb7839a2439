import {
  Chain,
  decide,
  Follower,
  refreshAudience,
  systemClock,
  type TenantHandles,
  type TokenRecord,
  tokenIdOf,
} from '@touchstone/core';
import { revisionCodec } from '@touchstone/events';
import type { Stack } from '@touchstone/local-stack';
import {
  dataKeyStore,
  historyReader,
  openDatabase,
  recordReader,
  releaseReader,
  tenantKeyReader,
} from '@touchstone/store-postgres';
import {
  consentKeys,
  DataKeys,
  fileKeyEncryption,
  noSigner,
  openInstallationKeys,
  openMethods,
  readMasterKeyFile,
  userHandles,
} from '@touchstone/token-methods';
import { quiet } from '../../harness/database.ts';
import type { Held } from './held.ts';

/** One who has the keys and reads the database, and remembers nothing. */
export interface Newcomer extends AsyncDisposable {
  tokenIdOf(text: string): string;
  handlesOf(tenantId: string): Promise<TenantHandles>;
  /** Whether something is honoured by what the database says now, whoever may ask. */
  look(): Promise<(held: Held) => Promise<boolean>>;
}

export async function openNewcomer({ postgres, masterKeyFile }: Stack): Promise<Newcomer> {
  const database = openDatabase({ url: postgres.adminUrl, applicationName: 'test', connectionsMax: 4 });
  const dataKeys = new DataKeys(dataKeyStore(database), [fileKeyEncryption(await readMasterKeyFile(masterKeyFile))]);
  const keys = await openInstallationKeys(dataKeys);
  const chain = new Chain(keys.mac, revisionCodec);
  const methods = openMethods({ keys, signing: noSigner, consentKeys: consentKeys(dataKeys), issuer: '' });
  const locate = (text: string) => {
    const found = methods.locate(text);
    if (!found) throw new Error('this is no token of the installation');
    return found;
  };
  const recordOf = async (key: TokenRecord['key']) => {
    const ofWhom = { text: 'select tenant_id from token where id = $1', values: [key.key] };
    const tenantIds = (await database.query(ofWhom)).map(([tenantId]) => tenantId as string);
    return (await recordReader(database).read([{ key, tenantIds }], 0)).records[0] ?? null;
  };
  return {
    tokenIdOf: (text) => tokenIdOf(locate(text).located.key),
    handlesOf: async (tenantId) => userHandles(keys, dataKeys, tenantKeyReader(database)).of(tenantId),
    async look() {
      const follower = await Follower.start(historyReader(database), chain, systemClock, quiet);
      const releases = releaseReader(database, keys.mac, follower);
      /** What the policy holds against it. */
      const heldAgainst = async (record: TokenRecord) => {
        const { tenantId, audience } = record;
        const { holds } = await releases.releaseOf(tenantId, audience, 0, follower.generation);
        return (await holds?.capsOf([record]))?.[0] ?? null;
      };
      return async ({ text, audience }) => {
        const { method, located } = locate(text);
        const found = await recordOf(located.key);
        const opened = found && (await method.open(located, found));
        // Of a refresh token is asked what it renews.
        const record = found?.audience === refreshAudience ? { ...found, audience } : found;
        const tokenClass = audience === 'touchstone' ? 'credential' : 'token';
        const held = record && tokenClass === 'token' ? await heldAgainst(record) : null;
        const demand = { tokenClass, audience, scopes: record?.scopes ?? [], request: null, proof: null } as const;
        return decide(record, opened, follower.watermarks, demand, follower.databaseNow, held).active;
      };
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
