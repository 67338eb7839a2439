import { expect, test } from 'vitest';
import { StoreUnavailable } from '../errors.ts';
import { TestClock } from '../test-history.ts';
import { Coverage } from './coverage.ts';
import type { CensusVersion } from './ports.ts';

const fenceMilliseconds = 5_000;
/** Looks, one a second, after which what was seen at the first of them has lapsed. */
const lapse = 8;

/** A census in memory, and a database that notes as it was told to. */
function open() {
  const clock = new TestClock();
  const database = { server: 'first', revision: 1, covered: 0, milliseconds: 0, isAway: false };
  const rows = new Map<string, { readonly version: string; readonly applied: number; readonly fence: number }>();
  let commits = 0;
  const writer = {
    async advance(server: string | null, lapsed: readonly CensusVersion[]) {
      if (database.isAway) throw new StoreUnavailable();
      const isLapsed = (name: string, { version }: { readonly version: string }) =>
        lapsed.some((one) => one.instanceId === name && one.version === version);
      const waitedFor = [...rows].filter(([name, row]) => !isLapsed(name, row));
      const applied = Math.min(database.revision, ...waitedFor.map(([, row]) => row.applied));
      if (server === database.server) database.covered = Math.max(database.covered, applied);
      const validators = [...rows].map(([instanceId, { version, fence }]) => ({ instanceId, version, fence }));
      clock.pass(database.milliseconds);
      return { server: database.server, validators };
    },
  };
  const coverage = new Coverage(writer, clock, fenceMilliseconds);
  const beat = (name: string, applied: number, fence = fenceMilliseconds) =>
    rows.set(name, { version: String(++commits), applied, fence });
  /** Looks every second, at what is committed then; gives what is complete. */
  async function look(times: number, beats: () => void = () => {}): Promise<number> {
    for (let i = 0; i < times; i++) {
      clock.pass(1_000);
      beats();
      await coverage.advance().catch(() => {});
    }
    return database.covered;
  }
  return { look, beat, rows, database, clock };
}

test('nothing is noted until whoever was there at the start has had the time to commit', async () => {
  const { look } = open();
  expect(await look(lapse - 1)).toBe(0);
  expect(await look(1)).toBe(1);
});

test('what all have applied is complete at once, and what one lacks is not', async () => {
  const { look, beat, database } = open();
  await look(lapse, () => beat('a', 1));
  database.revision = 2;
  expect(await look(10, () => beat('a', 1))).toBe(1);
  expect(await look(1, () => beat('a', 2))).toBe(2);
});

test('who commits no more is waited for until it can answer nothing', async () => {
  const { look, beat, database } = open();
  await look(lapse, () => beat('a', 1));
  database.revision = 2;
  // It was seen as it is at the last look.
  expect(await look(lapse - 2)).toBe(1);
  expect(await look(1)).toBe(2);
});

test.each([60_000, 1_000])(
  'whose fence is %d ms long is waited for that long, and for no less than ours is',
  async (fence) => {
    const { look, beat, database } = open();
    const looks = 2 + Math.max(fence, fenceMilliseconds) / 1_000;
    await look(lapse, () => beat('b', 1));
    await look(1, () => beat('b', 1, fence));
    database.revision = 2;
    expect(await look(looks - 1)).toBe(1);
    expect(await look(1)).toBe(2);
  },
);

test('who has committed while nobody could look is waited for', async () => {
  const { look, beat, database } = open();
  await look(lapse, () => beat('a', 1));
  Object.assign(database, { revision: 2, isAway: true });
  await look(20);
  beat('a', 1);
  database.isAway = false;
  expect(await look(lapse - 1)).toBe(1);
  expect(await look(1)).toBe(2);
});

test('who is there when an answer comes may have committed just before that', async () => {
  const { look, beat, database } = open();
  await look(lapse, () => beat('a', 1));
  Object.assign(database, { revision: 2, milliseconds: 3_000 });
  await look(1, () => beat('a', 1));
  database.milliseconds = 0;
  expect(await look(lapse - 2)).toBe(1);
  expect(await look(1)).toBe(2);
});

test('another server, or one that was started anew, may have an older census: nothing is noted until a fence has passed', async () => {
  const { look, beat, rows, database } = open();
  await look(lapse, () => beat('a', 1));
  rows.clear();
  Object.assign(database, { server: 'put back', revision: 2 });
  expect(await look(lapse - 1)).toBe(1);
  expect(await look(1)).toBe(2);
});

test.each([3_600_000, -3_600_000])("this machine's wall clock, set by %d ms, changes nothing", async (jump) => {
  const { look, beat, database, clock } = open();
  await look(lapse, () => beat('a', 1));
  clock.time.wall += jump;
  database.revision = 2;
  expect(await look(lapse - 2)).toBe(1);
  expect(await look(1)).toBe(2);
});
