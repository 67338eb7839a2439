import type { Census } from '@touchstone/core';
import type { Database } from './database.ts';
import { tailOf, tailSelect } from './history-rows.ts';

/** How a replica is listed in the census. */
export interface Replica {
  readonly instanceId: string;
  readonly service: string;
  readonly address: string;
  readonly build: string;
}

const beatStatement = `
  with beat as (
    insert into census (instance_id, service, address, build, applied_revision, beat_at)
    values ($2, $3, $4, $5, $1, now())
    on conflict (instance_id) do update set applied_revision = excluded.applied_revision, beat_at = excluded.beat_at
  ),
  promoted as (
    update promotion set timeline = current_timeline(), writes_from = now() + $6 * interval '1 millisecond'
     where timeline <> current_timeline()
  )
  ${tailSelect}`;

/**
 * Keeps the replica's row. The rows of replicas that are gone are left to upkeep.
 *
 * @param fenceMilliseconds how long after a promotion neither tokens nor revocations are written.
 */
export function census(
  database: Database,
  { instanceId, service, address, build }: Replica,
  fenceMilliseconds: number,
): Census {
  return {
    beat: async (applied) => {
      const values = [applied.revision, instanceId, service, address, build, fenceMilliseconds];
      return tailOf(await database.write({ name: 'beat', text: beatStatement, values }));
    },
  };
}
