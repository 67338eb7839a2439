import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Authenticate,
  authenticator,
  Chain,
  type ConsistentRecords,
  clientAuthenticator,
  consistentRecords,
  Follower,
  Presence,
  type RevisionSource,
  StoreUnavailable,
  systemClock,
  type TokenMethods,
  type UserHandles,
} from '@touchstone/core';
import { kafkaRevisionSource, revisionCodec } from '@touchstone/events';
import {
  assertionTaker,
  census,
  clientReader,
  type Database,
  dataKeyStore,
  historyReader,
  isNotSetUp,
  openDatabase,
  postgresRevisionSource,
  recordReader,
  requireMigrated,
  tenantKeyReader,
} from '@touchstone/store-postgres';
import {
  assertionVerifier,
  type ConsentKeys,
  consentKeys,
  DataKeys,
  type KeyRing,
  noSigner,
  openInstallationKeys,
  openMethods,
  userHandles,
} from '@touchstone/token-methods';
import { type KeyEncryptionConfig, openKeyEncryptions } from './key-encryptions.ts';
import { type ReplicaLog, type ReplicaRuntime, replicaLog } from './replica-log.ts';

/** The settings of a service that concern its replica. */
export interface ReplicaConfig extends KeyEncryptionConfig {
  readonly HOST: string;
  readonly ADVERTISED_HOST: string;
  readonly BUILD: string;
  readonly DATABASE_URL: string;
  readonly DATABASE_CONNECTIONS_MAX: number;
  /** None: revisions come from Postgres alone. */
  readonly KAFKA_BROKERS: readonly string[];
  readonly FENCE_MILLISECONDS: number;
}

/** What every replica of every service has: its database, keys, view of the history, and who its callers are. */
export interface Replica extends AsyncDisposable {
  readonly instanceId: string;
  readonly database: Database;
  readonly keys: KeyRing;
  readonly dataKeys: DataKeys;
  readonly consentKeys: ConsentKeys;
  readonly handles: UserHandles;
  readonly chain: Chain;
  /** To open tokens with; they sign none. */
  readonly methods: TokenMethods;
  readonly follower: Follower;
  readonly records: ConsistentRecords;
  readonly presence: Presence;
  readonly authenticate: Authenticate;
}

const beatMilliseconds = 1_000;
/** Kafka brings revisions sooner; without it this is how late one can be that nobody asked for. */
const pollMilliseconds = 1_000;
/** Validators answer by what they know; others ask the database about what they decide, and need know little sooner than they poll. */
const paceMillisecondsOf = (service: string): number => (service === 'validator' ? 25 : 100);
const retryMilliseconds = 500;

/**
 * Opens a replica; waits, and says so, while the database is away or not set up.
 * @param service its name, as the census and the logs of the database show it.
 * @throws MasterKeyUnusable
 */
export async function openReplica(service: string, config: ReplicaConfig, runtime: ReplicaRuntime): Promise<Replica> {
  await using opening = new AsyncDisposableStack();
  const log = replicaLog(runtime);
  const encryptions = await openKeyEncryptions(config);
  const instanceId = `${service}-${randomUUID()}`;
  const database = opening.use(
    openDatabase({
      url: config.DATABASE_URL,
      applicationName: `touchstone ${service}`,
      connectionsMax: config.DATABASE_CONNECTIONS_MAX,
      onError: log.databaseTrouble,
    }),
  );
  await untilReached(() => requireMigrated(database), log, runtime.signal);
  const dataKeys = new DataKeys(dataKeyStore(database), encryptions);
  const keys = await untilReached(() => openInstallationKeys(dataKeys), log, runtime.signal);
  const chain = new Chain(keys.mac, revisionCodec);
  const start = () => Follower.start(historyReader(database), chain, systemClock, log);
  const follower = await untilReached(start, log, runtime.signal);
  for (const source of sourcesOf(service, config, database, log)) opening.use(await follow(follower, source));
  const address = `${config.ADVERTISED_HOST || config.HOST}:${runtime.grpcPort}`;
  const row = { instanceId, service, address, build: config.BUILD };
  const fence = config.FENCE_MILLISECONDS;
  const presence = new Presence(census(database, row, fence), follower, systemClock, fence);
  await untilReached(() => presence.beat(), log, runtime.signal);
  opening.use(beating(presence, log));
  const byConsent = consentKeys(dataKeys);
  const methods = openMethods({ keys, signing: noSigner, consentKeys: byConsent, issuer: '' });
  const records = consistentRecords(recordReader(database), follower, { batchMax: 500, lanes: 2, waitingMax: 20_000 });
  const clients = clientAuthenticator({
    clients: clientReader(database, keys.mac),
    assertions: { ...assertionVerifier, ...assertionTaker(database) },
    follower,
    clock: systemClock,
  });
  const authenticate = authenticator({ methods, records, follower, presence, clients });
  const resources = opening.move();
  return {
    instanceId,
    database,
    keys,
    dataKeys,
    consentKeys: byConsent,
    handles: userHandles(keys, dataKeys, tenantKeyReader(database), () => follower.generation),
    chain,
    methods,
    follower,
    records,
    presence,
    authenticate,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function untilReached<Result>(
  attempt: () => Promise<Result>,
  log: ReplicaLog,
  signal: AbortSignal,
): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StoreUnavailable || isNotSetUp(error))) throw error;
      log.waitingForDatabase(error as Error);
      await sleep(retryMilliseconds, undefined, { signal });
    }
  }
}

function sourcesOf(
  service: string,
  { KAFKA_BROKERS: brokers }: ReplicaConfig,
  database: Database,
  log: ReplicaLog,
): RevisionSource[] {
  const postgres = postgresRevisionSource(database, pollMilliseconds, paceMillisecondsOf(service));
  if (brokers.length === 0) return [postgres];
  return [postgres, kafkaRevisionSource({ brokers, clientId: `touchstone-${service}`, log: log.kafka })];
}

/** Hints that come while a question is under way share the next one. */
async function follow(follower: Follower, source: RevisionSource): Promise<AsyncDisposable> {
  return source.subscribe((revision) => {
    if (revision === 'hint') follower.refresh().catch(() => {});
    else follower.offer(revision);
  });
}

function beating(presence: Presence, log: ReplicaLog): AsyncDisposable {
  let underWay: Promise<void> | null = null;
  const timer = setInterval(() => {
    underWay ??= presence
      .beat()
      .then(log.beatCommitted, log.beatFailed)
      .finally(() => {
        underWay = null;
      });
  }, beatMilliseconds);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await underWay;
      // Where the database is away the census finds out by itself.
      await presence.leave().catch(() => {});
    },
  };
}
