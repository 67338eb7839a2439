import { randomBytes } from 'node:crypto';
import { Chain, Follower, type FollowerEvents, systemClock } from '@touchstone/core';
import { auditCodec, revisionCodec } from '@touchstone/events';
import { freePair, openTemporaryFolder, startPostgres } from '@touchstone/local-stack';
import {
  historyReader,
  initialiseHistory,
  migrate,
  openDatabase,
  recordReader,
  revocationWriter,
  tokenWriter,
} from '@touchstone/store-postgres';
import { openKeyRing, referenceMethod } from '@touchstone/token-methods';

export const quiet: FollowerEvents = { historyReplaced() {}, sourceDistrusted() {} };

/** A Postgres of its own for one file of tests, migrated, with the store's parts on it. */
export async function openTestDatabase() {
  await using opening = new AsyncDisposableStack();
  const { path } = opening.use(await openTemporaryFolder());
  const [port] = await freePair();
  const postgres = opening.use(await startPostgres({ dataDir: `${path}/postgres`, port }));
  await migrate(postgres.adminUrl);
  const database = opening.use(openDatabase({ url: postgres.adminUrl, applicationName: 'test', connectionsMax: 10 }));
  const keys = openKeyRing(randomBytes(32));
  const chain = new Chain(keys.mac, revisionCodec);
  await initialiseHistory(database, chain);
  const resources = opening.move();
  return {
    postgres,
    database,
    keys,
    chain,
    method: referenceMethod(keys),
    records: recordReader(database),
    tokens: tokenWriter(database, 'test', auditCodec),
    revocations: revocationWriter(database, { chain, codec: auditCodec, instanceId: 'test' }),
    follow: (events = quiet) => Follower.start(historyReader(database), chain, systemClock, events),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

export type TestDatabase = Awaited<ReturnType<typeof openTestDatabase>>;
