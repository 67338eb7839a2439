import { type Mac, nothingAllowed, type PolicyVersion } from '@touchstone/core';
import type { Database, Row } from './database.ts';
import { millisecondsOf } from './instants.ts';

export const policyColumns = `p.tenant_id, p.version, p.entry, p.mac, ${millisecondsOf('p.recorded_at')}`;

const readStatement = `
  select ${policyColumns} from policy p
   where p.tenant_id = $1 and ($2::int is null or p.version = $2) order by p.version desc limit 1`;

/** What is written of a version, and kept with a mac over it. */
export type KeptPolicy = Omit<PolicyVersion, 'recordedAt'>;

export const policyMacOf = (mac: Mac, tenantId: string, version: number, text: string): string =>
  mac('policy', JSON.stringify([tenantId, version, text]));

/** One that was not written under our key allows nothing. */
export function policyOf(row: Row, mac: Mac): PolicyVersion {
  const [tenantId, version, text, storedMac, recordedAt] = row as [string, number, string, string, number];
  const isOurs = policyMacOf(mac, tenantId, version, text) === storedMac;
  const kept: KeptPolicy = isOurs
    ? JSON.parse(text)
    : { policy: { tenantId, version, rules: nothingAllowed }, recordedBy: '', reason: '' };
  return { ...kept, recordedAt };
}

/** @param version null: the one that is in force. Null where there is none. */
export async function readPolicy(
  database: Database,
  mac: Mac,
  tenantId: string,
  version: number | null,
): Promise<PolicyVersion | null> {
  const [row] = await database
    .of([tenantId])
    .query({ name: 'policy', text: readStatement, values: [tenantId, version] });
  return row ? policyOf(row, mac) : null;
}
