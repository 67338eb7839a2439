export * from './errors.ts';
export { openTemporaryFolder, type TemporaryFolder } from './folders.ts';
export { type KafkaAvailability, type KafkaOptions, kafkaAvailable, type LocalKafka, startKafka } from './kafka.ts';
export { type LocalPostgres, type PostgresOptions, startPostgres } from './postgres.ts';
