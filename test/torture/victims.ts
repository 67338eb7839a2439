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
  readonly databaseClock: DatabaseClock;
  /** The CLOCKS_FOLDER of all services. */
  readonly clocksFolder: string;
  /** Takes note of it before the database starts again. */
  readonly onRestored: (restored: Restored) => void;
}

export const replicaOf = ({ replicas }: Victims, name: ServiceName, random: Random): Replica =>
  random.of(replicas.filter((replica) => replica.name === name));

export async function startPostgresAgain(victims: Victims): Promise<void> {
  const { dataDir, port } = victims.postgres;
  victims.postgres = await startPostgres({ dataDir, port });
}

export async function startKafkaAgain(victims: Victims): Promise<void> {
  victims.kafka = await victims.startKafka();
}
