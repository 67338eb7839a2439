import { RevisionTooNew, StoreUnavailable } from '@touchstone/core';
import { expect, test } from 'vitest';
import { type ReplicaRuntime, replicaLog } from './replica-log.ts';

/** What is told of a beat that failed so: the log, and `/readyz`. */
function toldOf(failure: Error): readonly (string | null)[] {
  const told: (string | null)[] = [];
  const log = replicaLog({
    logger: { warn: (_: object, message: string) => told.push(message) },
    metrics: { counter: () => ({ inc: () => {} }) },
    readiness: { set: (_: string, why: string | null) => told.push(why) },
  } as unknown as ReplicaRuntime);
  log.beatFailed(failure);
  return told;
}

test('a revision of a newer version is told as that, and not as a database that takes no commit', () => {
  const why = 'revision 7 says what only a newer version of this program knows: replace this replica by that';
  expect(toldOf(new StoreUnavailable(new RevisionTooNew(7, new Error('kind is 12'))))).toEqual([why, why]);
  const census = 'the row in the census can not be committed';
  expect(toldOf(new StoreUnavailable(new Error('password')))).toEqual([census, census]);
});
