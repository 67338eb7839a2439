import type { DataKeyStore, StoredDataKey } from '@touchstone/core';
import type { Database, Row } from './database.ts';

const columns = `data_key_id, purpose, key_encryption_id, wrapped, (extract(epoch from created_at) * 1000)::bigint`;

/** Data keys, wrapped. */
export function dataKeyStore(database: Database): DataKeyStore {
  return {
    async find(dataKeyId) {
      const text = `select ${columns} from data_key where data_key_id = $1`;
      return keyOf(await database.query({ name: 'data key', text, values: [dataKeyId] }));
    },

    async current(purpose) {
      const text = `select ${columns} from data_key where purpose = $1 order by generation desc limit 1`;
      return keyOf(await database.query({ name: 'current data key', text, values: [purpose] }));
    },

    async add({ dataKeyId, purpose, keyEncryptionId, wrapped }, replaces) {
      // Two who do so at once draw the same generation, which one of them gets.
      const text = `
        with before as (select data_key_id, generation from data_key where purpose = $2 order by generation desc limit 1)
        insert into data_key (data_key_id, purpose, key_encryption_id, wrapped, generation)
        select $1, $2, $3, $4, coalesce((select generation from before), 0) + 1
         where (select data_key_id from before) is not distinct from $5
        on conflict do nothing`;
      await database.write({ text, values: [dataKeyId, purpose, keyEncryptionId, wrapped, replaces] });
    },
  };
}

function keyOf([row]: readonly Row[]): StoredDataKey | null {
  if (!row) return null;
  const [dataKeyId, purpose, keyEncryptionId, wrapped, createdAt] = row;
  return { dataKeyId, purpose, keyEncryptionId, wrapped, createdAt } as StoredDataKey;
}
