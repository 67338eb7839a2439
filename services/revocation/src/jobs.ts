import { setTimeout as sleep } from 'node:timers/promises';
import { Coverage, systemClock } from '@touchstone/core';
import { checkTopics, ensureTopics, openKafkaPublisher, runRelay } from '@touchstone/events';
import type { ServiceRuntime } from '@touchstone/service-kit';
import {
  coverageWriter,
  type Database,
  eraseDue,
  type OutboxBacklog,
  openDatabase,
  outbox,
  readOutboxBacklog,
  upkeep,
} from '@touchstone/store-postgres';
import type { RevocationConfig } from './config.ts';

const upkeepMilliseconds = 60_000;
const eraseMilliseconds = 5_000;
const topicsMilliseconds = 5_000;
/** They can be deleted, or changed, while the service runs. */
const lookMilliseconds = 60_000;
const relayPollMilliseconds = 20;
const backlogMilliseconds = 1_000;
const coverageMilliseconds = 250;

/** Work that goes on in the background. One replica at a time publishes. */
export function startJobs(config: RevocationConfig, database: Database, runtime: ServiceRuntime): AsyncDisposable {
  const stopping = new AbortController();
  const jobs = [
    keepUp(config, runtime, stopping.signal),
    watchBacklog(database, runtime, stopping.signal),
    watchCoverage(config, database, runtime, stopping.signal),
  ];
  if (config.KAFKA_BROKERS.length > 0) jobs.push(relay(config, database, runtime, stopping.signal));
  else runtime.logger.warn({}, 'without Kafka audit events wait in the database, which grows until there is one');
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(jobs);
    },
  };
}

/** Makes the partitions that will be needed, drops those that are not any more; deletes what is to be erased. */
async function keepUp(
  config: RevocationConfig,
  { logger, metrics }: ServiceRuntime,
  signal: AbortSignal,
): Promise<void> {
  let doneAt = performance.now();
  metrics.gauge(
    'touchstone_upkeep_age_seconds',
    'How long ago upkeep was done last, by this replica, or it started: without it there is no room left some day.',
    () => (performance.now() - doneAt) / 1_000,
  );
  await using database = openDatabase({
    url: config.UPKEEP_DATABASE_URL,
    applicationName: 'touchstone upkeep',
    connectionsMax: 2,
    onError: (err) => logger.warn({ err }, 'a connection to the database broke'),
  });
  const keepingUp = every(
    upkeepMilliseconds,
    signal,
    async () => {
      const done = await upkeep(database);
      doneAt = performance.now();
      if (done.made + done.dropped.length + done.postponed.length > 0) logger.info(done, 'upkeep');
    },
    (err) => logger.warn({ err }, 'upkeep failed; it is tried again'),
  );
  const erasing = (['users', 'tenants'] as const).map((what) =>
    every(
      eraseMilliseconds,
      signal,
      async () => {
        const erased = await eraseDue(database, what, signal);
        if (erased > 0) logger.info({ erased }, `${what} have been erased`);
      },
      (err) => logger.warn({ err }, `the ${what} that are to be erased could not be; it is tried again`),
    ),
  );
  await Promise.all([keepingUp, ...erasing]);
}

/** Tells what waits to be published: the same on every replica, and without Kafka too. */
async function watchBacklog(
  database: Database,
  { logger, metrics }: ServiceRuntime,
  signal: AbortSignal,
): Promise<void> {
  let backlog: OutboxBacklog = { revisions: 0, auditEvents: 0, auditSeconds: 0 };
  const gauge = (name: string, help: string, value: () => number) =>
    metrics.gauge(`touchstone_relay_${name}`, help, value);
  gauge('waiting_revisions', 'Revisions that wait to be published.', () => backlog.revisions);
  gauge('waiting_audit_events', 'About how many audit events wait to be published.', () => backlog.auditEvents);
  gauge('audit_age_seconds', 'Age of the first audit event that waits to be published.', () => backlog.auditSeconds);
  let failures = 0;
  await every(
    backlogMilliseconds,
    signal,
    async () => {
      backlog = await readOutboxBacklog(database);
      failures = 0;
    },
    (err) => logger[failures++ === 0 ? 'warn' : 'debug']({ err }, 'what waits to be published could not be read'),
  );
}

/** Notes what every live validator has applied. */
async function watchCoverage(
  { FENCE_MILLISECONDS: fence }: RevocationConfig,
  database: Database,
  { logger }: ServiceRuntime,
  signal: AbortSignal,
): Promise<void> {
  const coverage = new Coverage(coverageWriter(database), systemClock, fence);
  await every(
    coverageMilliseconds,
    signal,
    () => coverage.advance(),
    (err) => logger.debug({ err }, 'what validators have applied could not be noted'),
  );
}

async function relay(
  config: RevocationConfig,
  database: Database,
  { logger }: ServiceRuntime,
  signal: AbortSignal,
): Promise<void> {
  const connection = {
    brokers: config.KAFKA_BROKERS,
    clientId: 'touchstone-relay',
    log: (level: 'debug' | 'info' | 'warn' | 'error', message: string, details: object = {}) =>
      logger[level](details, message),
  };
  const look = lookAtTopics(connection, logger);
  const looked = Promise.withResolvers<void>();
  const looking = keepLooking(look, looked.resolve, logger, signal);
  // Where they can not be looked at, or not all of them are there, what can be published is.
  await looked.promise;
  await using publisher = openKafkaPublisher(connection);
  await runRelay(outbox(database), publisher, {
    pollMilliseconds: relayPollMilliseconds,
    log: connection.log,
    signal,
  });
  await looking;
}

/** Makes the topics where they are missing, and warns where events could be lost: once of each way while it is so. */
function lookAtTopics(
  connection: Parameters<typeof ensureTopics>[0],
  logger: ServiceRuntime['logger'],
): () => Promise<void> {
  let told: readonly string[] = [];
  return async () => {
    const made = await ensureTopics(connection);
    if (made.length > 0)
      logger.warn({ made }, 'topics were missing and have been made: nothing from before is on them');
    const warnings = await checkTopics(connection);
    for (const warning of warnings) if (!told.includes(warning)) logger.warn({ warning }, 'events could be lost');
    told = warnings;
  };
}

/** @param onLooked is called once it has been tried. */
async function keepLooking(
  look: () => Promise<void>,
  onLooked: () => void,
  logger: ServiceRuntime['logger'],
  signal: AbortSignal,
): Promise<void> {
  const ready = new AbortController();
  await every(
    topicsMilliseconds,
    AbortSignal.any([signal, ready.signal]),
    () =>
      look()
        .then(() => ready.abort())
        .finally(onLooked),
    (err) =>
      logger.warn({ err }, 'the topics could not be looked at: where they are missing, events wait in the database'),
  );
  onLooked();
  await every(lookMilliseconds, signal, look, (err) => logger.debug({ err }, 'the topics could not be looked at'));
}

/** Does something at once and again after each pause, until the signal aborts. */
async function every(
  milliseconds: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((error) => {
      if (!signal.aborted) failed(error);
    });
    await sleep(milliseconds, undefined, { signal }).catch(() => {});
  }
}
