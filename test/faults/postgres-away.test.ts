import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { type Calls, callsOf } from './calls.ts';
import { grpcHealth } from './grpc.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, page, readiness, untilAllReady } from './services.ts';
import { signalTree } from './suspend.ts';
import { broken, startTraffic } from './traffic.ts';
import { untilTrue } from './until.ts';

const fenceMilliseconds = 3_000;
const unavailable = { ok: false, code: 'Unavailable' };
let own: OwnStack;
let calls: Calls;
let services: ServiceProcess[];

beforeAll(async () => {
  own = await openOwnStack({ environment: { FENCE_MILLISECONDS: String(fenceMilliseconds) } });
  calls = callsOf(own.stack, own.world);
  services = allServices(own.stack);
});
afterAll(() => own?.[Symbol.asyncDispose]());

/** A commit that only had to wait leaves a replica ready, and fenced until the next one. */
async function untilAllAnswer(): Promise<void> {
  await untilAllReady(services);
  await untilTrue('all services answer', async () => {
    const issued = await outcomeOf(calls.issue());
    if (!issued.ok) return false;
    const { token } = issued.answer;
    return (await outcomeOf(calls.validate(token))).ok && (await outcomeOf(calls.revoke(token))).ok;
  });
}

describe('a service that starts while the database is away', () => {
  const started: ServiceProcess[] = [];
  beforeAll(async () => {
    await own.postgres.stop();
    for (const name of ['issuer', 'validator', 'revocation'] as const) {
      started.push(await own.stack.startAnother(name, await freePair()));
    }
  });

  test('is alive, is not ready, and says what it waits for', async () => {
    for (const service of started) {
      await untilTrue(`${service.name} listens`, () => page(service, '/healthz').then(Boolean, () => false));
      expect(await page(service, '/healthz')).toMatchObject({ status: 200 });
      await untilTrue(`${service.name} waits`, async () => 'database' in (await readiness(service)).reasons);
      expect(await page(service, '/readyz')).toMatchObject({ status: 503 });
      expect((await readiness(service)).reasons.database).toMatch(/^waiting for the database: .*ECONNREFUSED/);
      expect(await grpcHealth(service)).toBe('NOT_SERVING');
    }
  });

  test('answers UNAVAILABLE, because of the store', async () => {
    const [issuer = '', validator = '', revocation = ''] = started.map((service) => service.grpc);
    const waiting = callsOf(own.stack, own.world, { at: { issuer, validator, revocation } });
    const answers = await Promise.all([
      outcomeOf<unknown>(waiting.issue()),
      outcomeOf(waiting.validate('tks_rubbish_rubbish')),
      outcomeOf(waiting.revoke('tks_rubbish_rubbish')),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ ...unavailable, reason: 'STORE_UNAVAILABLE' });
  });

  test('becomes ready by itself once the database is there, and so do those that were there before', async () => {
    await own.restartPostgres();
    await untilAllReady([...started, ...services]);
    for (const service of started) expect(await grpcHealth(service)).toBe('SERVING');
    const [issuer = '', validator = '', revocation = ''] = started.map((service) => service.grpc);
    const ready = callsOf(own.stack, own.world, { at: { issuer, validator, revocation } });
    const { token } = await ready.issue();
    expect(await ready.validate(token)).toMatchObject({ active: true });
    await ready.revoke(token);
    expect(await ready.validate(token)).toMatchObject({ active: false });
    await Promise.all(started.map((service) => service.stop()));
  });
});

describe.each(['kill', 'stop'] as const)('a database that goes during calls (%s)', (way) => {
  test('costs nothing that was promised, and the services recover by themselves', async () => {
    const traffic = startTraffic(calls);
    await untilTrue('some were revoked', () => traffic.report.revoked.length > 50);
    await own.postgres[way]();
    const before = traffic.report.failures.length;
    await untilTrue('all workers have met its absence', () => traffic.report.failures.length > before + 100);
    expect(dead(services)).toEqual([]);
    await own.restartPostgres();
    await untilAllReady(services);
    const { answered } = traffic.report;
    await untilTrue('calls are answered again', () => traffic.report.answered > answered + 50);
    const report = await traffic.stop();

    expect(report.wrong).toEqual([]);
    const codes = new Set(report.failures.map(({ call, code, reason }) => `${call} ${code} ${reason}`));
    expect([...codes].filter((one) => !/Unavailable (STORE_UNAVAILABLE|FENCED)$/.test(one))).toEqual([]);
    expect(Math.max(...report.failures.map((failure) => failure.milliseconds))).toBeLessThan(9_000);
    expect(await broken(calls, report)).toEqual([]);
    expect((await Promise.all(services.map(readiness))).every(({ ready }) => ready)).toBe(true);
  });
});

test('a database that is killed while writes are under way takes no service with it', async () => {
  const { token } = await calls.issue();
  await using admin = await openAdmin(own);
  await using inTheWay = await openAdmin(own);
  await inTheWay.query('begin');
  await inTheWay.query('lock table outbox, census in exclusive mode');
  await inTheWay.query('select from history for update');
  const writes = [outcomeOf<unknown>(calls.issue()), outcomeOf(calls.revoke(token))];
  const waiting = `select count(*) from pg_stat_activity where wait_event_type = 'Lock'`;
  // With the rows of all three services in the census.
  await untilTrue('the writes wait', async () => (await numberOf(admin, waiting)) >= writes.length + services.length);
  await own.postgres.kill();
  const answers = await Promise.all(writes);
  expect(dead(services)).toEqual([]);
  for (const answer of answers) expect(answer).toMatchObject({ ...unavailable, reason: 'STORE_UNAVAILABLE' });
  await own.restartPostgres();
  await untilAllAnswer();
});

describe.skipIf(process.platform !== 'linux')('a database that is suspended for longer than the fence', () => {
  test('makes the validator answer UNAVAILABLE in time, never active, and right again afterwards', async () => {
    const [live, revoked] = [await calls.issue(), await calls.issue()];
    await calls.revoke(revoked.token);
    const hasty = callsOf(own.stack, own.world, { timeoutMs: 1_000 });
    await signalTree(own.postgres.pid, 'SIGSTOP');
    try {
      const first = await Promise.all([live, revoked].map(({ token }) => outcomeOf(calls.validate(token))));
      const fenced = await Promise.all([live, revoked].map(({ token }) => outcomeOf(calls.validate(token))));
      for (const answer of [...first, ...fenced]) expect(answer).toMatchObject(unavailable);
      const short = await outcomeOf(hasty.validate(live.token));
      expect(short.ok).toBe(false);
      expect(short.milliseconds).toBeLessThan(1_500);
    } finally {
      await signalTree(own.postgres.pid, 'SIGCONT');
    }
    await untilTrue('the validator answers again', async () => (await outcomeOf(calls.validate(live.token))).ok);
    expect((await calls.validate(live.token)).active).toBe(true);
    expect((await calls.validate(revoked.token)).active).toBe(false);
    await untilAllAnswer();
  });
});

describe('a database that answers and can not commit to the census', () => {
  const fenced = { ...unavailable, reason: 'FENCED' };
  /** Asks the database nothing. */
  const rubbish = () => outcomeOf(calls.validate('tks_rubbish'));
  /** Gives the time at which the last call was sent that was answered all the same. */
  async function untilFenced(): Promise<number> {
    let answeredAt = Number.NEGATIVE_INFINITY;
    await untilTrue('the fence has run out', async () => {
      const sentAt = performance.now();
      const { ok } = await rubbish();
      if (ok) answeredAt = sentAt;
      return !ok;
    });
    return answeredAt;
  }

  /** Keeps others from a table, or from writing to it, until it is disposed of. */
  async function lock(what: string): Promise<AsyncDisposable> {
    const admin = await openAdmin(own);
    await admin.query('begin');
    await admin.query(`lock table ${what} mode`);
    return admin;
  }

  test('is believed until the fence has run out, then never, and again once it can', async () => {
    const [live, revoked] = [await calls.issue(), await calls.issue()];
    await calls.revoke(revoked.token);
    const ask = () => Promise.all([live, revoked].map(({ token }) => outcomeOf(calls.validate(token))));
    {
      await using _ = await lock('census in exclusive');
      const locked = performance.now();
      expect((await ask()).map((one) => one.ok && one.answer.active)).toEqual([true, false]);
      // From the last commit, which may have been sent a second before.
      expect((await untilFenced()) - locked).toBeLessThanOrEqual(fenceMilliseconds);
      for (let again = 0; again < 20; again++) {
        for (const answer of await ask()) expect(answer).toMatchObject(fenced);
        expect(await rubbish()).toMatchObject(fenced);
      }
    }
    await untilTrue('it answers again', async () => (await rubbish()).ok);
    expect((await ask()).map((one) => one.ok && one.answer.active)).toEqual([true, false]);
    await untilAllAnswer();
  });

  test('is not believed in an answer that was asked for before', async () => {
    const { token } = await calls.issue();
    expect((await calls.validate(token)).active).toBe(true);
    {
      await using _ = await lock('census in exclusive');
      let answer: ReturnType<typeof outcomeOf>;
      {
        await using _ = await lock('token in access exclusive');
        answer = outcomeOf(calls.validate(token));
        await untilFenced();
      }
      expect(await answer).toMatchObject(fenced);
    }
    await untilAllAnswer();
  });

  test('nor where it waits for a standby that is gone', async () => {
    const { token } = await calls.issue();
    await using admin = await openAdmin(own);
    await admin.query('set synchronous_commit = local');
    const standbys = async (names: string) => {
      await admin.query(`alter system set synchronous_standby_names = '${names}'`);
      await admin.query('select pg_reload_conf()');
    };
    await standbys('absent');
    try {
      await untilFenced();
      expect(await outcomeOf(calls.validate(token))).toMatchObject(fenced);
    } finally {
      await standbys('');
    }
    await untilTrue('it answers again', async () => (await rubbish()).ok);
    expect((await calls.validate(token)).active).toBe(true);
    await untilAllAnswer();
  });
});
