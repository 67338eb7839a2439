import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Authenticate,
  authenticator,
  Chain,
  type Clock,
  type ConsistentRecords,
  consistentRecords,
  Follower,
  Presence,
  type RevisionSource,
  StoreUnavailable,
  systemClock,
  type TokenMethods,
  tokenMethods,
} from '@touchstone/core';
import { kafkaRevisionSource, revisionCodec } from '@touchstone/events';
import {
  census,
  type Database,
  historyReader,
  openDatabase,
  postgresRevisionSource,
  recordReader,
} from '@touchstone/store-postgres';
import { type KeyRing, openKeyRing, readMasterKeyFile, referenceMethod } from '@touchstone/token-methods';
import type { ReplicaLog } from './replica-log.ts';

export interface ReplicaOptions {
  readonly service: string;
  /** Where callers reach it, as the census lists it. */
  readonly address: string;
  readonly build: string;
  readonly databaseUrl: string;
  readonly databaseConnectionsMax: number;
  readonly masterKeyFile: string;
  /** None: revisions come from Postgres alone. */
  readonly kafkaBrokers: readonly string[];
  readonly fenceMilliseconds: number;
  readonly clock?: Clock;
  readonly log: ReplicaLog;
  /** Ends the waiting for a database that is away. */
  readonly signal: AbortSignal;
}

/** What every replica of every service has: its database, keys, view of the history, and who its callers are. */
export interface Replica extends AsyncDisposable {
  readonly instanceId: string;
  readonly database: Database;
  readonly keys: KeyRing;
  readonly chain: Chain;
  readonly methods: TokenMethods;
  readonly follower: Follower;
  readonly records: ConsistentRecords;
  readonly presence: Presence;
  readonly authenticate: Authenticate;
}

const beatMilliseconds = 1_000;
/** Kafka brings revisions sooner; without it this is how late one can be that nobody asked for. */
const pollMilliseconds = 1_000;
const retryMilliseconds = 500;

/** Opens a replica; waits, and says so, while the database is away or not set up. @throws MasterKeyUnusable */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  await using opening = new AsyncDisposableStack();
  const { service, address, build, log, clock = systemClock } = options;
  const keys = openKeyRing(await readMasterKeyFile(options.masterKeyFile));
  const instanceId = `${service}-${randomUUID()}`;
  const database = opening.use(
    openDatabase({
      url: options.databaseUrl,
      applicationName: `touchstone ${service}`,
      connectionsMax: options.databaseConnectionsMax,
      onError: log.databaseTrouble,
    }),
  );
  const chain = new Chain(keys.mac, revisionCodec);
  const follower = await untilReached(options, () => Follower.start(historyReader(database), chain, clock, log));
  for (const source of sourcesOf(options, database)) opening.use(await follow(follower, source));
  const presence = new Presence(
    census(database, { instanceId, service, address, build }),
    follower,
    clock,
    options.fenceMilliseconds,
  );
  await untilReached(options, () => presence.beat());
  opening.use(beating(presence, log));
  const methods = tokenMethods([referenceMethod(keys)]);
  const records = consistentRecords(recordReader(database), follower, { batchMax: 200, lanes: 2, waitingMax: 20_000 });
  const authenticate = authenticator({ methods, records, follower });
  const resources = opening.move();
  return {
    instanceId,
    database,
    keys,
    chain,
    methods,
    follower,
    records,
    presence,
    authenticate,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function untilReached<Result>({ log, signal }: ReplicaOptions, attempt: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      log.waitingForDatabase(error);
      await sleep(retryMilliseconds, undefined, { signal });
    }
  }
}

function sourcesOf({ kafkaBrokers, service, log }: ReplicaOptions, database: Database): RevisionSource[] {
  const postgres = postgresRevisionSource(database, pollMilliseconds);
  if (kafkaBrokers.length === 0) return [postgres];
  return [
    postgres,
    kafkaRevisionSource({ brokers: [...kafkaBrokers], clientId: `touchstone-${service}`, log: log.kafka }),
  ];
}

/** Hints that come while a question is under way share the next one. */
async function follow(follower: Follower, source: RevisionSource): Promise<AsyncDisposable> {
  return source.subscribe((revision) => {
    if (revision === 'hint') follower.refresh().catch(() => {});
    else follower.offer(revision);
  });
}

function beating(presence: Presence, log: ReplicaLog): Disposable {
  let underWay = false;
  const timer = setInterval(async () => {
    if (underWay) return;
    underWay = true;
    await presence.beat().catch(log.beatFailed);
    underWay = false;
  }, beatMilliseconds);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
