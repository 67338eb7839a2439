import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type LocalPostgres, startPostgres } from '@touchstone/local-stack';
import { openDatabase, postgresRevisionSource } from '@touchstone/store-postgres';
import { expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { unique } from '../../harness/world.ts';
import { untilTrue } from '../until.ts';
import { describeRevisionSource, type SourceWorld } from './contract.ts';

const never = 3_600_000;
/** Milliseconds, as of a validator. */
const pace = 25;
const applicationName = 'source under test';

async function openPostgres(): Promise<SourceWorld> {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(await openTestDatabase());
  let postgres: LocalPostgres = store.postgres;
  opening.defer(() => postgres.stop());
  const database = opening.use(openDatabase({ url: postgres.adminUrl, applicationName, connectionsMax: 1 }));
  const listening = `from pg_stat_activity where application_name = '${applicationName}'`;
  const resources = opening.move();
  return {
    // Not by the poll: what is told is told by notifications.
    source: postgresRevisionSource(database, never, pace),
    brings: 'hints',
    write: () => revoke(store),
    async breakConnections() {
      await store.database.query({ text: `select pg_terminate_backend(pid) ${listening}` });
    },
    stop: () => postgres.stop(),
    async start() {
      postgres = await startPostgres({ dataDir: postgres.dataDir, port: postgres.port });
    },
    listeners: async () => (await store.database.query({ text: `select pid ${listening}` })).map(String),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function revoke({ revocations }: TestDatabase): Promise<number> {
  const target = { kind: 'user', key: unique('handle') } as const;
  const { head } = await revocations.write({
    revocationId: unique('rvk'),
    target,
    tenantId: 'acme',
    cuts: [{ ...target, tokenClass: 'token' }],
    reach: 'issued',
    disables: null,
    includeCredentials: false,
    sparedTokenId: null,
    reason: 'a test',
    actor: { kind: 'operator', name: 'op', credentialId: 'tok_x', peer: '', traceId: '' },
    idempotencyKey: null,
  });
  return head.revision;
}

describeRevisionSource('Postgres', false, openPostgres);

test('where notifications get lost, Postgres is asked at an interval', async () => {
  // Nobody listens there.
  const url = 'postgres://nobody@127.0.0.1:1/nothing';
  await using database = openDatabase({ url, applicationName, connectionsMax: 1 });
  let hints = 0;
  await using _ = await postgresRevisionSource(database, 20, pace).subscribe(() => hints++);
  await untilTrue('some hints', () => hints > 5, 2_000);
  expect(hints).toBeGreaterThan(5);
});

test('notifications that come close together are told at a pace, the last of them too', async () => {
  await using store = await openTestDatabase();
  await using _postgres = { [Symbol.asyncDispose]: () => store.postgres.stop() };
  await using database = openDatabase({ url: store.postgres.adminUrl, applicationName, connectionsMax: 1 });
  const hints: number[] = [];
  await using _ = await postgresRevisionSource(database, never, pace).subscribe(() => hints.push(performance.now()));
  const begun = performance.now();
  let last = begun;
  for (let count = 0; count < 300; count++) {
    last = performance.now();
    await store.database.query({ text: 'notify touchstone_revision' });
  }
  await untilTrue('the last is told', () => (hints.at(-1) ?? 0) > last, 2_000);
  expect(hints.at(-1)).toBeGreaterThan(last);
  // A timer may come two milliseconds early.
  expect(hints.length).toBeLessThanOrEqual((performance.now() - begun) / 23 + 2);
});

test('closed while it tries to connect, it leaves no connection behind', async () => {
  // Takes connections, and never says a word.
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using _ = { [Symbol.asyncDispose]: async () => void server.close() };
  let connections = 0;
  server.on('connection', (socket) => {
    socket.resume();
    connections++;
  });
  const open = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  const { port } = server.address() as AddressInfo;
  await using database = openDatabase({
    url: `postgres://nobody@127.0.0.1:${port}/x`,
    applicationName,
    connectionsMax: 1,
  });
  const subscription = await postgresRevisionSource(database, never, pace).subscribe(() => {});
  await untilTrue('it tries again', () => connections === 2, 10_000);
  await subscription[Symbol.asyncDispose]();
  await untilTrue('the connection is gone', async () => (await open()) === 0);
  expect(connections).toBe(2);
});
