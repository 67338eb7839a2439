import { setTimeout as sleep } from 'node:timers/promises';
import {
  type LocalKafka,
  type LocalPostgres,
  type ServiceName,
  type ServicePorts,
  type ServiceProcess,
  type Stack,
  type startKafka,
  startPostgres,
} from '@touchstone/local-stack';
import { backUpData, putBackData } from '../faults/backup.ts';
import { signalTree } from '../faults/suspend.ts';
import type { DatabaseClock } from '../harness/database-clock.ts';
import { setClocks } from '../harness/machine-clocks.ts';
import { fenceMilliseconds, type Interval, type Restored } from './history.ts';
import { lieOnTopic } from './lies.ts';
import type { Random } from './random.ts';

/** A service that is started again on its ports after it was killed. */
export interface Replica {
  readonly name: ServiceName;
  readonly ports: ServicePorts;
  process: ServiceProcess;
}

/** What faults may hit. */
export interface Victims {
  readonly stack: Stack;
  readonly replicas: readonly Replica[];
  postgres: LocalPostgres;
  /** Null: there is none. */
  kafka: LocalKafka | null;
  readonly startKafka: () => ReturnType<typeof startKafka>;
  readonly databaseClock: DatabaseClock;
  /** The CLOCKS_FOLDER of all services. */
  readonly clocksFolder: string;
  /** Takes note of it before the database starts again. */
  readonly onRestored: (restored: Restored) => void;
}

/** Something that goes wrong, and is right again once it resolves. */
export type Fault = (victims: Victims, random: Random) => Promise<void>;

/** Longer than the fence: awake again, a replica must find out by itself that it may not answer. */
const longSuspensionMilliseconds = fenceMilliseconds + 1_500;
/** By how much clocks are set: less than the life of what is issued here. */
const jumps = [3_600_000, -3_600_000];

const replicaOf = ({ replicas }: Victims, name: ServiceName, random: Random): Replica =>
  random.of(replicas.filter((replica) => replica.name === name));

const killing =
  (name: ServiceName): Fault =>
  async (victims, random) => {
    const replica = replicaOf(victims, name, random);
    await replica.process.kill();
    await sleep(random.next() * 500);
    replica.process = await victims.stack.startAnother(name, replica.ports);
    await replica.process.untilReady();
  };

const suspending =
  (name: ServiceName, milliseconds: (random: Random) => number): Fault =>
  async (victims, random) => {
    const { process } = replicaOf(victims, name, random);
    process.signal('SIGSTOP');
    await sleep(milliseconds(random));
    process.signal('SIGCONT');
  };

async function whileStopped(victims: Victims, work: (postgres: LocalPostgres) => Promise<void>): Promise<Interval> {
  const start = performance.now();
  await victims.postgres.stop();
  await work(victims.postgres);
  return { start, end: performance.now() };
}

async function startAgain(victims: Victims): Promise<void> {
  const { dataDir, port } = victims.postgres;
  victims.postgres = await startPostgres({ dataDir, port });
}

export const faults: Readonly<Record<string, Fault>> = {
  'a validator is killed': killing('validator'),
  'a revocation service is killed, be it the one that relays': killing('revocation'),
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
    await startAgain(victims);
  },
  'the database is put back to an older state and goes on': async (victims, random) => {
    const backup = await whileStopped(victims, backUpData);
    await startAgain(victims);
    await sleep(random.next() * 4_000);
    const putBack = await whileStopped(victims, putBackData);
    victims.onRestored({ backup, putBack });
    await startAgain(victims);
  },
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
  'Kafka is killed': async (victims) => {
    if (!victims.kafka) return;
    await victims.kafka.kill();
    victims.kafka = await victims.startKafka();
  },
  'somebody lies on the topic': async ({ kafka }, random) => {
    if (kafka) await lieOnTopic(kafka.brokers, random);
  },
};
