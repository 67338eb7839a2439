export { clientOf, type DemoTenant } from './demo-tenant.ts';
export * from './errors.ts';
export { openTemporaryFolder, type TemporaryFolder } from './folders.ts';
export { freePair, freePorts } from './free-ports.ts';
export { type KafkaAvailability, type KafkaOptions, kafkaAvailable, type LocalKafka, startKafka } from './kafka.ts';
export type { ServiceRole } from './logins.ts';
export { type LocalPostgres, type PostgresOptions, startPostgres } from './postgres.ts';
export type { ServiceName, ServiceProcess } from './service-process.ts';
export { type ServicePorts, type Stack, type StackOptions, type StackPorts, startStack } from './stack.ts';
