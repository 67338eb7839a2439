/** What an attacker can take from a running installation, as sources for findCanaries. */
export { filesUnder, postgresFiles } from './canary-files.ts';
export { kafkaTopics } from './canary-kafka.ts';
export { postgresTables } from './canary-postgres.ts';
