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
import type { KeyRing } from '@touchstone/token-methods';
import { atPort } from '../faults/door.ts';
import { dead } from '../faults/services.ts';
import type { DatabaseClock } from '../harness/database-clock.ts';
import type { Restored } from './history.ts';
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
  /** The installation's. */
  readonly keys: KeyRing;
  readonly replicas: readonly Replica[];
  postgres: LocalPostgres;
  /** Null: there is none. */
  kafka: LocalKafka | null;
  readonly startKafka: () => ReturnType<typeof startKafka>;
  databaseClock: DatabaseClock;
  /** Further settings of all services that are started from now on. */
  readonly environment: Record<string, string>;
  /** The CLOCKS_FOLDER of all services. */
  readonly clocksFolder: string;
  /** Takes note of it before the database starts again. */
  readonly onRestored: (restored: Restored) => void;
  /** Takes note of a service that nobody has ended. */
  readonly onDied: (what: string) => void;
}

export const replicaOf = ({ replicas }: Victims, name: ServiceName, random: Random): Replica =>
  random.of(replicas.filter((replica) => replica.name === name));

/** Kills it and starts it on its ports, at the Postgres that is in force. */
export async function startReplicaAgain(victims: Victims, replica: Replica, pause = async () => {}): Promise<void> {
  const { stack, postgres, environment } = victims;
  const { name, ports } = replica;
  noteIfDead(victims, replica.process);
  await replica.process.kill();
  await pause();
  const urlOf = (role: 'upkeep' | ServiceName) => atPort(postgres.port, stack.databaseUrls[role]);
  // Read at once by the start: others may be on their way.
  Object.assign(environment, { DATABASE_URL: urlOf(name), UPKEEP_DATABASE_URL: urlOf('upkeep') });
  replica.process = await stack.startAnother(name, ports);
  await replica.process.untilReady();
}

export function noteIfDead({ onDied }: Victims, process: ServiceProcess): void {
  for (const name of dead([process])) onDied(`the ${name} service`);
}

export async function startPostgresAgain(victims: Victims): Promise<void> {
  const { dataDir, port } = victims.postgres;
  victims.postgres = await startPostgres({ dataDir, port });
}

export async function startKafkaAgain(victims: Victims): Promise<void> {
  victims.kafka = await victims.startKafka();
}
