import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { bootstrapOperator } from '@touchstone/replica';
import { migrate } from '@touchstone/store-postgres';
import { createMasterKeyFile } from '@touchstone/token-methods';
import { type DemoTenant, demoOperator, registerDemoTenant } from './demo-tenant.ts';
import { makeParents } from './folders.ts';
import { type LocalKafka, startKafka } from './kafka.ts';
import { makeLogins, type ServiceRole } from './logins.ts';
import { type LocalPostgres, startPostgres } from './postgres.ts';
import { type ServiceName, type ServiceProcess, startService } from './service-process.ts';

/** The gRPC and the HTTP port of a service. */
export type ServicePorts = readonly [grpc: number, http: number];

/** The ports of a stack, all on 127.0.0.1. */
export interface StackPorts extends Readonly<Record<ServiceName, ServicePorts>> {
  readonly postgres: number;
  readonly kafka: readonly [broker: number, controller: number];
}

export interface StackOptions {
  /** Holds all that the stack keeps: data, the master key, logs. Made when it does not exist. */
  readonly folder: string;
  readonly ports: StackPorts;
  /** `local` starts a Kafka; a list of brokers uses one that is there; null: none. */
  readonly kafka: 'local' | readonly string[] | null;
  /** Further settings of all services, by their environment variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Takes a line for a person at each step. */
  readonly onProgress?: (line: string) => void;
  /** Breaks off the start: what runs by then is stopped, and the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A whole Touchstone on this machine. Disposing of it stops what runs, in the reverse order, and keeps what is stored. */
export interface Stack extends AsyncDisposable {
  readonly services: Readonly<Record<ServiceName, ServiceProcess>>;
  readonly postgres: LocalPostgres;
  /** Null where it is not one of ours. */
  readonly kafka: LocalKafka | null;
  readonly kafkaBrokers: readonly string[];
  readonly masterKeyFile: string;
  /** The database's URL for each service's login. */
  readonly databaseUrls: Readonly<Record<ServiceRole, string>>;
  readonly demo: DemoTenant;
  /** Starts one more of a service, with the same settings but for its ports; it may not be ready yet. */
  startAnother(name: ServiceName, ports: ServicePorts): Promise<ServiceProcess>;
}

/** Starts Postgres, Kafka where it is wanted, and the services, and registers the demo tenant. */
export async function startStack(options: StackOptions): Promise<Stack> {
  await using opening = new AsyncDisposableStack();
  const { ports, signal, onProgress = () => {} } = options;
  const folder = await makeParents(join(options.folder, 'postgres')).then((path) => join(path, '..'));
  const masterKeyFile = join(folder, 'master.key');
  await access(masterKeyFile).catch(() => createMasterKeyFile(masterKeyFile));

  const { postgres, kafka } = await startServers(options, folder, opening);
  const kafkaBrokers = kafka?.brokers ?? (typeof options.kafka === 'string' ? [] : (options.kafka ?? []));
  onProgress('Bringing the database up to date ...');
  await migrate(postgres.adminUrl);
  const databaseUrls = await makeLogins(postgres.adminUrl);
  const operator = await bootstrapOperator(demoOperator, {
    databaseUrl: postgres.adminUrl,
    keys: { MASTER_KEY_FILE: masterKeyFile },
  });

  const start = async (name: ServiceName, [grpcPort, httpPort]: ServicePorts, label: string = name) => {
    const environment = {
      DATABASE_URL: databaseUrls[name],
      ...(name === 'revocation' ? { UPKEEP_DATABASE_URL: databaseUrls.upkeep } : {}),
      ...(name === 'issuer' ? { ISSUER_URL: `http://127.0.0.1:${ports.issuer[1]}` } : {}),
      MASTER_KEY_FILE: masterKeyFile,
      KAFKA_BROKERS: kafkaBrokers.join(','),
      ...options.environment,
    };
    return startService({ name, label, folder, environment, grpcPort, httpPort, signal });
  };
  onProgress('Starting the issuer, the validator and the revocation service ...');
  const services = {
    issuer: opening.use(await start('issuer', ports.issuer)),
    validator: opening.use(await start('validator', ports.validator)),
    revocation: opening.use(await start('revocation', ports.revocation)),
  };
  await Promise.all(Object.values(services).map((service) => service.untilReady()));
  onProgress('Registering the demo tenant ...');
  const demo = await registerDemoTenant(services.issuer.grpc, operator.credential);

  signal?.throwIfAborted();

  const resources = opening.move();
  return {
    services,
    postgres,
    kafka,
    kafkaBrokers,
    masterKeyFile,
    databaseUrls,
    demo,
    startAnother: async (name, pair) => resources.use(await start(name, pair, `${name}-${pair[0]}`)),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Both at once: Kafka takes its time. */
async function startServers(
  { ports, kafka, signal, onProgress = () => {} }: StackOptions,
  folder: string,
  opening: AsyncDisposableStack,
): Promise<{ postgres: LocalPostgres; kafka: LocalKafka | null }> {
  const [port, controllerPort] = ports.kafka;
  const started = await Promise.allSettled([
    startPostgres({ dataDir: join(folder, 'postgres'), port: ports.postgres, onProgress, signal }),
    kafka === 'local' ? startKafka({ dataDir: join(folder, 'kafka'), port, controllerPort, onProgress, signal }) : null,
  ]);
  // What did start is stopped again when the other did not.
  for (const one of started) if (one.status === 'fulfilled' && one.value) opening.use(one.value);
  const [first, second] = started;
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return { postgres: first.value, kafka: second.value };
}
