import { freePorts, kafkaAvailable, openTemporaryFolder, type Stack, startStack } from '@touchstone/local-stack';
import type { TestProject } from 'vitest/node';

/** What tests need to know of the stack that they share. */
export interface SharedStack {
  readonly issuer: string;
  readonly validator: string;
  readonly revocation: string;
  readonly http: Readonly<Record<'issuer' | 'validator' | 'revocation', string>>;
  readonly adminUrl: string;
  readonly masterKeyFile: string;
  readonly kafkaBrokers: readonly string[];
  readonly logFiles: readonly string[];
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly stack: SharedStack;
  }
}

/** Kafka from the environment, else one of our own; where neither can be had, null - or, in CI, a failure. */
export async function kafkaForTests(): Promise<'local' | readonly string[] | null> {
  const brokers = process.env.KAFKA_BROKERS?.split(',').filter(Boolean) ?? [];
  if (brokers.length > 0) return brokers;
  const available = await kafkaAvailable();
  if (available.ok) return 'local';
  if (process.env.CI === 'true') throw new Error(`the tests need Kafka: ${available.why}`);
  console.warn(`Kafka suites are skipped: ${available.why}`);
  return null;
}

export const shared = ({ services, postgres, masterKeyFile, kafkaBrokers }: Stack): SharedStack => ({
  issuer: services.issuer.grpc,
  validator: services.validator.grpc,
  revocation: services.revocation.grpc,
  http: { issuer: services.issuer.http, validator: services.validator.http, revocation: services.revocation.http },
  adminUrl: postgres.adminUrl,
  masterKeyFile,
  kafkaBrokers,
  logFiles: Object.values(services).map((service) => service.logFile),
});

/** Starts one stack for all tests of the project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using opening = new AsyncDisposableStack();
  const { path: folder } = opening.use(await openTemporaryFolder());
  const stack = opening.use(await startStack({ folder, ports: await freePorts(), kafka: await kafkaForTests() }));
  project.provide('stack', shared(stack));
  const resources = opening.move();
  return () => resources.disposeAsync();
}
