import { timestampMs } from '@bufbuild/protobuf/wkt';
import { freePair, openTemporaryFolder, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clocks, clocksPreload, setClocks } from '../harness/machine-clocks.ts';
import { shared } from '../harness/shared-stack.ts';
import { longLife, openWorld, type World } from '../harness/world.ts';
import { numberOf, openAdmin } from './admin.ts';
import { atLeast, type Calls, callsOf, full, staleBy } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { askedOnWaking, suspendedMilliseconds } from './suspend.ts';
import { broken, inEveryMode, requireRefused, startTraffic } from './traffic.ts';
import { untilPassed, untilTrue } from './until.ts';

const hour = 3_600_000;
let own: OwnStack;
let world: World;
let folder: string;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  folder = cleanup.use(await openTemporaryFolder()).path;
  own = cleanup.use(await openOwnStack({ environment: { NODE_OPTIONS: clocksPreload, CLOCKS_FOLDER: folder } }));
  world = await openWorld(shared(own.stack), { tokenTtlMax: longLife });
});
afterAll(() => cleanup[Symbol.asyncDispose]());

/** A validator that starts with its clocks like that. */
async function startWith(clocks: Clocks) {
  const ports = await freePair();
  const set = (to: Clocks) => setClocks(folder, ports[0], to);
  await set(clocks);
  const validator = await own.stack.startAnother('validator', ports);
  await validator.untilReady();
  return { validator, set, calls: callsOf(own.stack, world, { at: { validator: validator.grpc } }) };
}

const say = (calls: Calls, token: string, ...modes: Parameters<Calls['validate']>[1][]) =>
  Promise.all(modes.map(async (freshness) => (await calls.validate(token, freshness)).active));

const wrong: readonly (readonly [string, Clocks])[] = [
  ['whose wall clock is an hour ahead', { wallAhead: hour }],
  ['whose wall clock is an hour behind', { wallAhead: -hour }],
  ['whose monotonic clock is a tenth too fast', { monotonicRate: 1.1 }],
  ['whose monotonic clock stands still', { monotonicRate: 0 }],
];

describe.each(wrong)('a validator %s', (_, clocks) => {
  let validator: ServiceProcess;
  let calls: Calls;
  beforeAll(async () => {
    ({ validator, calls } = await startWith(clocks));
  });
  afterAll(() => validator?.stop());

  test('honours what is alive, and refuses what is revoked, in every mode', async () => {
    for (let i = 0; i < 20; i++) {
      const { token, revision } = await calls.issue();
      expect(await say(calls, token, full, staleBy(1), atLeast(revision))).toEqual([true, true, true]);
      const revoked = await calls.revoke(token);
      expect(await say(calls, token, full, atLeast(revoked.revision))).toEqual([false, false]);
    }
  });

  test('refuses what it remembers and was revoked longer ago than an answer may be old', async () => {
    const { token } = await calls.issue();
    expect(await say(calls, token, staleBy(1))).toEqual([true]);
    validator.signal('SIGSTOP');
    await calls.revoke(token);
    await untilPassed(suspendedMilliseconds);
    requireRefused(await askedOnWaking(validator, own.postgres, () => calls.validate(token, staleBy(0.3))));
    await untilTrue('it answers', async () => (await outcomeOf(calls.validate(token))).ok);
    expect(await say(calls, token, staleBy(0.3))).toEqual([false]);
  });

  test("refuses what has expired by the database's clock, also what it remembers", async () => {
    const { token, expiresAt, revision } = await calls.issue({ ttl: { seconds: 5n } });
    expect(await say(calls, token, full, staleBy(1), atLeast(revision))).toEqual([true, true, true]);
    await using admin = await openAdmin(own);
    const end = expiresAt ? timestampMs(expiresAt) : 0;
    const now = 'select extract(epoch from clock_timestamp()) * 1000';
    await untilTrue('it has expired', async () => (await numberOf(admin, now)) > end);
    expect(await say(calls, token, full)).toEqual([false]);
    const others = () => say(calls, token, staleBy(1), atLeast(revision));
    await untilTrue('none honours it', async () => !(await others()).includes(true), 10_000);
  });
});

const jumps: readonly (readonly [string, Clocks])[] = [
  ['its wall clock is set an hour back', { wallAhead: -hour }],
  ['its wall clock is set an hour ahead', { wallAhead: hour }],
  ['its monotonic clock stands still', { monotonicRate: 0 }],
];

test.each(jumps)(
  'a validator that is suspended while %s answers nothing older than was asked for',
  async (_, clocks) => {
    const { validator, set, calls } = await startWith({});
    const { token } = await calls.issue();
    expect(await say(calls, token, full, staleBy(1))).toEqual([true, true]);
    validator.signal('SIGSTOP');
    await set(clocks);
    await calls.revoke(token);
    await untilPassed(suspendedMilliseconds);
    requireRefused(await askedOnWaking(validator, own.postgres, () => calls.validate(token, staleBy(0.3))));
    await untilTrue('it answers', async () => (await outcomeOf(calls.validate(token))).ok);
    expect(await say(calls, token, staleBy(0.3))).toEqual([false]);
    await validator.stop();
  },
);

test('while its wall clock jumps to and fro no answer of a validator is wrong, and in between it answers', async () => {
  const { validator, set, calls } = await startWith({});
  const traffic = startTraffic(inEveryMode({ ...calls, issue: () => calls.issue({ ttl: longLife }) }));
  for (const wallAhead of [hour, 0, -hour, hour, 0]) {
    await set({ wallAhead });
    const { answered } = traffic.report;
    await untilTrue('it is answered', () => traffic.report.answered > answered + 200);
  }
  const report = await traffic.stop();
  expect(report.wrong).toEqual([]);
  // A deadline is an instant of the wall clock.
  expect(report.failures.filter(({ code }) => code !== 'Unavailable' && code !== 'DeadlineExceeded')).toEqual([]);
  expect(await broken(calls, report)).toEqual([]);
  await untilPassed(1_000);
  expect(await broken(calls, report, staleBy(1))).toEqual([]);
  await validator.stop();
});
