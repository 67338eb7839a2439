import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRevision } from '@touchstone/core';
import type { LocalPostgres, ServiceName } from '@touchstone/local-stack';
import type pg from 'pg';
import { numberOf, openAdmin, untilPublished } from '../faults/admin.ts';
import { backUpData, putBackData } from '../faults/backup.ts';
import { signalTree } from '../faults/suspend.ts';
import { untilTrue } from '../faults/until.ts';
import { setClocks } from '../harness/machine-clocks.ts';
import { failOver } from './failover.ts';
import { fenceMilliseconds, type Interval } from './history.ts';
import { lieOnTopic } from './lies.ts';
import { lossFile } from './losses.ts';
import type { Random } from './random.ts';
import { killRelay, suspendWhileAnotherLeads } from './relays.ts';
import { replicaOf, startKafkaAgain, startPostgresAgain, startReplicaAgain, type Victims } from './victims.ts';

/** Something that goes wrong, and is right again once it resolves: to false where there was nothing that it could hit. */
export type Fault = FaultOf<void> | FaultOf<boolean>;
type FaultOf<Hit> = (victims: Victims, random: Random) => Promise<Hit>;

/** Longer than the fence: awake again, a replica must find out by itself that it may not answer. */
const longSuspensionMilliseconds = fenceMilliseconds + 1_500;
/** By how much clocks are set: less than the life of what is issued here. */
const jumps = [3_600_000, -3_600_000];
/** How often some revisions are lost, one after the other. */
const lossesMax = 8;
const lossMilliseconds = 5_000;

const killing =
  (name: ServiceName): Fault =>
  async (victims, random) => {
    const replica = replicaOf(victims, name, random);
    await startReplicaAgain(victims, replica, () => sleep(random.next() * 500));
  };

const suspending =
  (name: ServiceName, milliseconds: (random: Random) => number): Fault =>
  async (victims, random) => {
    const { process } = replicaOf(victims, name, random);
    process.signal('SIGSTOP');
    await sleep(milliseconds(random));
    process.signal('SIGCONT');
  };

/** With the revision that it stopped at. @param look is shown the database once no other revision is written. */
async function whileStopped(
  { postgres, kafka }: Victims,
  work: (postgres: LocalPostgres) => Promise<void>,
  look: (admin: pg.Client) => Promise<void> = async () => {},
): Promise<Interval & { readonly revision: number }> {
  await using admin = await openAdmin({ postgres });
  await admin.query('begin');
  const revision = await numberOf(admin, 'select revision from history for update');
  await look(admin);
  // What is lost then comes to the replicas before, and not while they begin anew where that began.
  if (kafka) await untilPublished({ postgres });
  const start = performance.now();
  await postgres.stop();
  await work(postgres);
  return { start, end: performance.now(), revision };
}

/** The revisions after one, as they are told. */
async function revisionsAfter(revision: number, admin: pg.Client): Promise<Set<string>> {
  const { rows } = await admin.query('select revision, hash from revision where revision > $1', [revision]);
  return new Set(rows.map((row) => formatRevision({ revision: Number(row.revision), hash: row.hash })));
}

const withoutKafka: Readonly<Record<string, Fault>> = {
  'a validator is killed': killing('validator'),
  'a revocation service is killed': killing('revocation'),
  'an issuer is killed': killing('issuer'),
  'a validator is suspended': suspending('validator', (random) => random.next() * 1_500),
  'a validator is suspended beyond the fence': suspending('validator', () => longSuspensionMilliseconds),
  'Postgres is suspended': async ({ postgres }, random) => {
    await signalTree(postgres.pid, 'SIGSTOP');
    await sleep(random.next() * 1_500);
    await signalTree(postgres.pid, 'SIGCONT');
  },
  'Postgres is killed': async (victims) => {
    await victims.postgres.kill();
    await startPostgresAgain(victims);
  },
  'the database is put back to an older state and goes on': async (victims, random) => {
    const backup = await whileStopped(victims, backUpData);
    await startPostgresAgain(victims);
    await sleep(random.next() * 4_000);
    let lost = new Set<string>();
    const putBack = await whileStopped(victims, putBackData, async (admin) => {
      lost = await revisionsAfter(backup.revision, admin);
    });
    victims.onRestored({ backup, putBack, lost });
    await startPostgresAgain(victims);
  },
  'a primary that was cut off answers reads': failOver,
  "the database's clock jumps": async ({ databaseClock }, random) => {
    await databaseClock.set(random.of(jumps));
    await sleep(random.next() * 1_500);
    await databaseClock.set(0);
  },
  // As those of a machine that wakes up.
  "a validator's clocks are wrong": async (victims, random) => {
    const { ports, process } = replicaOf(victims, 'validator', random);
    process.signal('SIGSTOP');
    await setClocks(victims.clocksFolder, ports[0], { wallAhead: random.of(jumps) });
    await sleep(random.next() * 1_500);
    process.signal('SIGCONT');
    await sleep(random.next() * 1_500);
    await setClocks(victims.clocksFolder, ports[0], {});
  },
};

const ofKafka: Readonly<Record<string, Fault>> = {
  'Kafka is killed': async (victims) => {
    await victims.kafka?.kill();
    await startKafkaAgain(victims);
  },
  'Postgres and Kafka are both killed': async (victims) => {
    await Promise.all([victims.postgres.kill(), victims.kafka?.kill()]);
    await Promise.all([startPostgresAgain(victims), startKafkaAgain(victims)]);
  },
  'the relay is killed': killRelay,
  'a relay is suspended while another leads': suspendWhileAnotherLeads,
  'revisions are lost on their way to the topic': async ({ clocksFolder }, random) => {
    const file = lossFile(clocksFolder);
    let losses = 0;
    for (let left = 1 + random.below(lossesMax); left > 0; left--) {
      await writeFile(file, '');
      // At the end of a run there are no more to lose.
      const lost = untilTrue('the relay has lost some', () => !existsSync(file), lossMilliseconds);
      await lost.then(
        () => losses++,
        () => {},
      );
      await sleep(random.next() * 200);
    }
    await rm(file, { force: true });
    return losses > 0;
  },
  'somebody lies on the topic': lieOnTopic,
};

export const faults: Readonly<Record<string, Fault>> = { ...withoutKafka, ...ofKafka };

/** The names of those that there can be. */
export const faultsWith = (kafka: boolean): string[] => Object.keys(kafka ? faults : withoutKafka);
