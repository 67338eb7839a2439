import type { BootstrapLog } from '@touchstone/core';
import type { Database } from './database.ts';

/** For which operators credentials have been bootstrapped. */
export function bootstrapLog(database: Database): BootstrapLog {
  return {
    async claim(operatorName) {
      const text = 'insert into bootstrap (operator_name) values ($1) on conflict do nothing returning operator_name';
      return (await database.query({ text, values: [operatorName] })).length === 1;
    },
  };
}
