import {
  type Census,
  type CensusReader,
  type CensusVersion,
  type CoverageWriter,
  StoreUnavailable,
  type Validator,
} from '@touchstone/core';
import type { Database, Row } from './database.ts';
import { tailOf, tailSelect, thisServer } from './history-rows.ts';
import { millisecondsOf } from './instants.ts';

/** How a replica is listed in the census. */
export interface Replica {
  readonly instanceId: string;
  readonly service: string;
  readonly address: string;
  readonly build: string;
}

/**
 * On another timeline than the one that is known, nothing is written until the fence has run out: the longest of all, for they
 * differ while they are being changed. That of a replica that was killed counts until upkeep deletes its row, a day later; of
 * one that has left the row tells no fence any more.
 *
 * @param fence the least, in milliseconds.
 */
export const promotedUpdate = (fence: string): string => `
  update promotion set timeline = current_timeline(), writes_from = now() + longest
    from (select greatest(${fence} * interval '1 millisecond', max(answers_until - beat_at)) as longest
            from census where not has_left) as fence
   where timeline <> current_timeline() or writes_from > now() + longest`;

/** Whether tokens and revocations may be written, and what was written is surely so for whoever answers. */
export const isSettled = `
  exists (select from promotion where timeline = current_timeline() and writes_from <= now())`;

/** @param settled what `isSettled` gave. @throws StoreUnavailable */
export function requireSettled(settled: unknown): void {
  if (settled !== true) throw new StoreUnavailable(new Error('this server has been promoted a moment ago'));
}

/** A revision of another history counts as none: of this one, those with such numbers are still to come. */
const beatStatement = `
  with beat as (
    insert into census as c (instance_id, service, address, build, applied_revision, beat_at, answers_until)
    values ($2, $3, $4, $5, coalesce((select r.revision from revision r where r.revision = $1 and r.hash = $7), 0), now(),
            now() + $6 * interval '1 millisecond')
    on conflict (instance_id) do update
      set applied_revision = excluded.applied_revision, beat_at = excluded.beat_at,
          answers_until = excluded.answers_until, has_left = false
  ),
  promoted as (${promotedUpdate('$6')})
  ${tailSelect}`;

/**
 * Keeps the replica's row. The rows of replicas that are gone are left to upkeep.
 *
 * @param fenceMilliseconds how long after a commit it answers; at least as long, neither tokens nor revocations are written
 *   after a promotion. Where the clock has been set back since that was noticed, it counts anew.
 */
export function census(
  database: Database,
  { instanceId, service, address, build }: Replica,
  fenceMilliseconds: number,
): Census {
  return {
    beat: async (applied) => {
      const values = [applied.revision, instanceId, service, address, build, fenceMilliseconds, applied.hash];
      return tailOf(await database.write({ name: 'beat', text: beatStatement, values }));
    },
    leave: async () => {
      const text = 'update census set answers_until = now(), has_left = true where instance_id = $1';
      await database.write({ text, values: [instanceId] });
    },
  };
}

/** By how much the clock may have been set back without a row seeming to be from a time to come. */
const slack = `interval '1 second'`;
/** A row from a time to come was committed before the clock was set back: whoever is there has committed another since. */
const isFromNow = `c.beat_at <= now() + ${slack}`;

/** A server that was cut off knows of others under such a number: of this one nothing is complete there. */
const progressStatement = `
  select c.instance_id, c.address, c.build, c.applied_revision, ${millisecondsOf('c.beat_at')},
         ${millisecondsOf('c.answers_until')}, c.answers_until > now() and ${isFromNow}, p.revision,
         ${millisecondsOf(`(select v.complete_at from coverage v join revision r on r.revision = $1 and r.hash = $2
                              where v.revision >= $1 order by v.revision limit 1)`)}
    from relay_position p left join census c on c.service = 'validator' and not c.has_left
   order by c.address, c.instance_id`;

/** What the census says of a revision. For the role touchstone_revocation. */
export function censusReader(database: Database): CensusReader {
  return {
    async progressOf({ revision, hash }) {
      const rows = await database.query({ name: 'progress', text: progressStatement, values: [revision, hash] });
      const [published, completeAt] = (rows[0] as Row).slice(7) as [number, number | null];
      const validators = rows.filter(([instanceId]) => instanceId !== null).map(validatorOf);
      return { isPublished: published >= revision, completeAt, validators };
    },
  };
}

function validatorOf(row: Row): Validator {
  const [instanceId, address, build, appliedRevision, beatAt, answersUntil, isLive] = row;
  return { instanceId, address, build, appliedRevision, beatAt, answersUntil, isLive } as Validator;
}

/** A row has another version with each commit, whatever the clock says. Where nobody answers, nobody is behind. */
const coverageStatement = `
  with lapsed as (select * from unnest($2::text[], $3::text[]) as l (instance_id, version)),
  counted as (
    select c.instance_id, c.xmin::text as version, c.applied_revision,
           ${millisecondsOf('c.answers_until - c.beat_at')} as fence
      from census c where c.service = 'validator' and not c.has_left
  ),
  covered as (
    select coalesce(min(c.applied_revision), (select revision from history)) as revision
      from counted c where (c.instance_id, c.version) not in (select l.instance_id, l.version from lapsed l)
  ),
  advanced as (
    insert into coverage (revision, complete_at)
    select revision, now() from covered
     where $1 = ${thisServer} and revision > coalesce((select max(revision) from coverage), -1)
    on conflict do nothing
  )
  select ${thisServer}, c.instance_id, c.version, c.fence from (values (true)) one left join counted c on true`;

/** For the role touchstone_revocation. Any number of replicas may do it. */
export function coverageWriter(database: Database): CoverageWriter {
  return {
    async advance(server, lapsed) {
      const ids = lapsed.map(({ instanceId }) => instanceId);
      const versions = lapsed.map(({ version }) => version);
      const rows = await database.write({
        name: 'coverage',
        text: coverageStatement,
        values: [server, ids, versions],
      });
      const [asked] = rows[0] as [string];
      const validators = rows.filter(([, instanceId]) => instanceId !== null).map(versionOf);
      return { server: asked, validators };
    },
  };
}

const versionOf = ([, instanceId, version, fence]: Row): CensusVersion =>
  ({ instanceId, version, fence }) as CensusVersion;
