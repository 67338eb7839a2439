import type { TenantKeyReader } from '@touchstone/core';
import type { Database } from './database.ts';

/** The keys of tenants, wrapped. */
export function tenantKeyReader(database: Database): TenantKeyReader {
  const text = 'select data_key_id, wrapped from tenant_key where tenant_id = $1';
  return {
    async find(tenantId) {
      const [row] = await database.of([tenantId]).query({ name: 'tenant key', text, values: [tenantId] });
      const [dataKeyId, wrapped] = (row ?? []) as [string, Buffer];
      return row ? { dataKeyId, wrapped } : null;
    },
  };
}
