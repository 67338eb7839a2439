import type { BootstrapLog } from '@touchstone/core';
import type { Database } from './database.ts';

const claimStatement = `
  insert into bootstrap as b (operator_name, tenant_ids) values ($1, $2)
  on conflict (operator_name) do update
    set tenant_ids = array(select distinct unnest(b.tenant_ids || excluded.tenant_ids) order by 1) where $3
  returning old.operator_name is null, new.tenant_ids`;

/** For which operators credentials have been bootstrapped, and in which tenants they were to act. */
export function bootstrapLog(database: Database): BootstrapLog {
  return {
    async claim(operatorName, tenantIds, replace) {
      const [row] = await database.query({ text: claimStatement, values: [operatorName, tenantIds, replace] });
      if (!row) return null;
      const [isFirst, everyTenant] = row as [boolean, string[]];
      return { isFirst, tenantIds: everyTenant };
    },
  };
}
