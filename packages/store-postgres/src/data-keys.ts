import type { DataKeyStore, StoredDataKey } from '@touchstone/core';
import { type Database, insufficientPrivilege, type Row, StatementRefused } from './database.ts';
import { millisecondsOf } from './instants.ts';

const columns = `data_key_id, purpose, key_encryption_id, wrapped, ${millisecondsOf('created_at')}`;

/** Data keys, wrapped. */
export function dataKeyStore(database: Database): DataKeyStore {
  return {
    async find(dataKeyId) {
      const text = `select ${columns} from data_key where data_key_id = $1`;
      const [row] = await database.query({ name: 'data key', text, values: [dataKeyId] });
      return row ? keyOf(row) : null;
    },

    async current(purpose) {
      const text = `select ${columns} from data_key where purpose = $1 order by generation desc limit 1`;
      const [row] = await database.query({ name: 'current data key', text, values: [purpose] });
      return row ? keyOf(row) : null;
    },

    async add({ dataKeyId, purpose, keyEncryptionId, wrapped }, replaces) {
      // Two who do so at once draw the same generation, which one of them gets. What was wrapped by what has just ceased to
      // wrap the installation's comes too late: whoever takes the former key encryption away would not know of it.
      const text = `
        with before as (select data_key_id, generation from data_key where purpose = $2 order by generation desc limit 1)
        insert into data_key (data_key_id, purpose, key_encryption_id, wrapped, generation)
        select $1, $2, $3, $4, coalesce((select generation from before), 0) + 1
         where (select data_key_id from before) is not distinct from $5
           and not exists (select from data_key where purpose = 'installation' and key_encryption_id <> $3)
        on conflict do nothing`;
      await database.write({ text, values: [dataKeyId, purpose, keyEncryptionId, wrapped, replaces] });
    },
  };
}

/** The login of the database may not change data keys: the one that migrates may. */
export class LoginNotAllowed extends Error {
  override readonly name = 'LoginNotAllowed';
  constructor() {
    super('this login may not change data keys: let DATABASE_URL be that of the login that migrates');
  }
}

/** Exchanges what data keys are wrapped by, for a login that may: services' logins may not. */
export function dataKeyRewrapper(database: Database) {
  return {
    /** The installation's comes first: what wraps that one wraps all that come. */
    async listOthers(keyEncryptionId: string): Promise<StoredDataKey[]> {
      const text = `
        select ${columns} from data_key where key_encryption_id <> $1
         order by purpose <> 'installation', created_at, data_key_id`;
      return (await database.query({ text, values: [keyEncryptionId] })).map(keyOf);
    },

    /** @throws StoreUnavailable, LoginNotAllowed */
    async replace(key: StoredDataKey, previousWrapped: Buffer): Promise<boolean> {
      const text = `
        update data_key set key_encryption_id = $3, wrapped = $4 where data_key_id = $1 and wrapped = $2
        returning data_key_id`;
      const values = [key.dataKeyId, previousWrapped, key.keyEncryptionId, key.wrapped];
      try {
        return (await database.write({ text, values })).length > 0;
      } catch (error) {
        const isOfRights = error instanceof StatementRefused && error.sqlState === insufficientPrivilege;
        throw isOfRights ? new LoginNotAllowed() : error;
      }
    },
  };
}

function keyOf([dataKeyId, purpose, keyEncryptionId, wrapped, createdAt]: Row): StoredDataKey {
  return { dataKeyId, purpose, keyEncryptionId, wrapped, createdAt } as StoredDataKey;
}
