import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { watchHealth } from './grpc.ts';
import { type Failure, outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { page } from './services.ts';
import { type Spawned, spawnService } from './spawned.ts';
import { signalTree } from './suspend.ts';
import { startTraffic } from './traffic.ts';
import { until, untilTrue } from './until.ts';

const names: readonly ServiceName[] = ['issuer', 'validator', 'revocation'];
let own: OwnStack;
beforeAll(async () => {
  own = await openOwnStack();
});
afterAll(() => own?.[Symbol.asyncDispose]());

/** One more of each service. */
async function openReplicas(environment: Record<string, string> = {}) {
  await using opening = new AsyncDisposableStack();
  const replicas: Spawned[] = [];
  for (const name of names) replicas.push(opening.use(await spawnService(own.stack, name, { environment })));
  await Promise.all(replicas.map((one) => one.untilReady()));
  const at = Object.fromEntries(replicas.map(({ name, grpc }) => [name, grpc]));
  const resources = opening.move();
  return {
    replicas,
    calls: callsOf(own.stack, own.world, { at }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The exit code, and after how long. */
async function endOf({ name, exited }: Spawned, milliseconds: number): Promise<number | null> {
  const late = sleep(milliseconds, 'late' as const, { ref: false });
  const code = await Promise.race([exited, late]);
  if (code === 'late') throw new Error(`${name} has not ended within ${milliseconds} ms`);
  return code;
}

/** Nobody took the call. A stream that is refused was not begun; this client takes that for INTERNAL. */
const isOfConnection = ({ code, reason, message }: Failure): boolean =>
  reason === '' && (code === 'Unavailable' || message.includes('NGHTTP2_REFUSED_STREAM'));

const listens = (service: Spawned): Promise<boolean> => page(service, '/healthz').then(Boolean, () => false);

describe('a service that is told to stop while calls come', () => {
  test('tells that it is not ready first, goes on answering meanwhile, and ends well', async () => {
    await using opened = await openReplicas({ DRAIN_MILLISECONDS: '5000' });
    const { replicas, calls } = opened;
    const traffic = startTraffic(calls);
    await untilTrue('some were revoked', () => traffic.report.revoked.length > 20);
    for (const replica of replicas) replica.signal('SIGTERM');
    await Promise.all(
      replicas.map((replica) =>
        untilTrue(`${replica.name} says so`, async () => (await page(replica, '/readyz')).status === 503),
      ),
    );
    const { answered } = traffic.report;
    await untilTrue('calls are answered meanwhile', () => traffic.report.answered > answered + 20);
    expect(traffic.report.failures).toEqual([]);
    for (const replica of replicas) expect(await endOf(replica, 15_000)).toBe(0);
    const { failures, wrong } = await traffic.stop();
    expect(wrong).toEqual([]);
    // By then there is nobody to be connected to.
    expect(failures.filter((failure) => !isOfConnection(failure))).toEqual([]);
    for (const replica of replicas) {
      expect(await listens(replica)).toBe(false);
      expect(replica.output()).toMatch(/"msg":"stopped"\}\n$/);
    }
  });

  test('without a time to drain, too, fails no call but by the connection', async () => {
    await using opened = await openReplicas();
    const { replicas, calls } = opened;
    const traffic = startTraffic(calls, 16);
    await untilTrue('some were revoked', () => traffic.report.revoked.length > 20);
    for (const replica of replicas) replica.signal('SIGTERM');
    for (const replica of replicas) expect(await endOf(replica, 5_000)).toBe(0);
    const { failures, wrong } = await traffic.stop();
    expect(wrong).toEqual([]);
    expect(failures.filter((failure) => !isOfConnection(failure))).toEqual([]);
  });

  test('answers the calls in flight before it ends', async () => {
    await using opened = await openReplicas();
    const { replicas, calls } = opened;
    const { token } = await calls.issue();
    await using admin = await openAdmin(own);
    await using inTheWay = await openAdmin(own);
    await inTheWay.query('begin');
    await inTheWay.query('lock table outbox in exclusive mode');
    const writes = [outcomeOf<unknown>(calls.issue()), outcomeOf(calls.revoke(token))];
    const waiting = `select count(*) from pg_stat_activity where wait_event_type = 'Lock'`;
    await untilTrue('both wait', async () => (await numberOf(admin, waiting)) >= 2);
    for (const replica of replicas) replica.signal('SIGTERM');
    await untilTrue('nothing new is taken', async () => !(await Promise.all(replicas.map(listens))).includes(true));
    await inTheWay.query('commit');
    for (const write of writes) expect(await write).toMatchObject({ ok: true });
    for (const replica of replicas) expect(await endOf(replica, 5_000)).toBe(0);
  });
});

test.each(names)('the %s ends in time while somebody watches its health', async (name) => {
  await using service = await spawnService(own.stack, name);
  await service.untilReady();
  using watch = watchHealth(service);
  await untilTrue('it serves', () => watch.states.includes('SERVING'));
  service.signal('SIGTERM');
  expect(await endOf(service, 5_000)).toBe(0);
  expect(watch.states.at(-1)).toBe('NOT_SERVING');
});

test.each(names)('the %s ends in time while it still waits for the database', async (name) => {
  const nowhere = 'postgres://nobody:nothing@127.0.0.1:1/postgres';
  const environment = { DATABASE_URL: nowhere, UPKEEP_DATABASE_URL: nowhere };
  await using service = await spawnService(own.stack, name, { environment });
  await until('it says that it waits', () =>
    service.output().includes('waiting for the database') ? true : undefined,
  );
  service.signal('SIGTERM');
  expect(await endOf(service, 5_000)).toBe(0);
});

describe.skipIf(process.platform !== 'linux')('while the database is suspended', () => {
  test('all services end in time', async () => {
    await using opened = await openReplicas({ STOP_MILLISECONDS: '1000' });
    await signalTree(own.postgres.pid, 'SIGSTOP');
    try {
      for (const replica of opened.replicas) replica.signal('SIGTERM');
      const ends = opened.replicas.map((replica) => outcomeOf(endOf(replica, 10_000)));
      expect((await Promise.all(ends)).map((end) => (end.ok ? end.answer : end.message))).toEqual([0, 0, 0]);
    } finally {
      await signalTree(own.postgres.pid, 'SIGCONT');
    }
  });
});
