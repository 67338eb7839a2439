import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDoor } from '../faults/door.ts';
import { promote, startStandby } from '../faults/standby.ts';
import { databaseClockOf } from '../harness/database-clock.ts';
import { fenceMilliseconds } from './history.ts';
import type { Random } from './random.ts';
import { startReplicaAgain, type Victims } from './victims.ts';

/**
 * Cuts the primary off and promotes a standby that its commits waited for. Those who write are taken to it; the validators
 * go on reading from the old one until they are taken along, one after the other.
 */
export async function failOver(victims: Victims, random: Random): Promise<void> {
  const { postgres: primary, replicas } = victims;
  await using replication = await openDoor(primary.port);
  const standby = await startStandby(primary, replication);
  replication.leadTo(null);
  replication.cut();
  await promote(standby);
  victims.postgres = standby;
  victims.databaseClock = databaseClockOf(standby.adminUrl);
  const [validators, writers] = [
    replicas.filter(({ name }) => name === 'validator'),
    replicas.filter(({ name }) => name !== 'validator'),
  ];
  await Promise.all(writers.map((replica) => startReplicaAgain(victims, replica)));
  for (const validator of validators) {
    await sleep(random.next() * fenceMilliseconds);
    await startReplicaAgain(victims, validator);
  }
  await primary.kill();
  await rm(primary.dataDir, { recursive: true });
}
