import { expect, test } from 'vitest';
import { TestClock } from '../test-history.ts';
import { Coverage } from './coverage.ts';

const fenceMilliseconds = 5_000;

/** A database whose clock goes with the machine's until it is set, and which notes as it was told to. */
function open() {
  const clock = new TestClock();
  const database = { offset: 1_000_000, milliseconds: 0, noted: 0 };
  const writer = {
    async advance(expectedNow: number | null, driftMax: number) {
      const now = clock.monotonic() + database.offset;
      if (expectedNow !== null && Math.abs(now - expectedNow) <= driftMax) database.noted++;
      clock.pass(database.milliseconds);
      return now;
    },
  };
  const coverage = new Coverage(writer, clock, fenceMilliseconds);
  /** Looks every second; gives how often it was noted. */
  async function look(times: number): Promise<number> {
    database.noted = 0;
    for (let i = 0; i < times; i++) {
      clock.pass(1_000);
      await coverage.advance();
    }
    return database.noted;
  }
  return { look, database, clock };
}

test('once all have had the time to commit their rows, every look notes', async () => {
  const { look } = open();
  expect(await look(6)).toBe(0);
  expect(await look(10)).toBe(10);
});

test.each([3_600_000, -3_600_000, 2_000, -2_000])(
  'a clock set by %d ms: nothing is noted, not even in that round, until a fence has passed',
  async (jump) => {
    const { look, database } = open();
    await look(10);
    database.offset += jump;
    expect(await look(6)).toBe(0);
    expect(await look(5)).toBe(5);
  },
);

test('an answer that takes long is no jump', async () => {
  const { look, database } = open();
  await look(10);
  database.milliseconds = 3_000;
  await look(5);
  database.milliseconds = 0;
  expect(await look(5)).toBeGreaterThanOrEqual(4);
});

test.each([3_600_000, -3_600_000])(
  "a clock set by %d ms together with this machine's own, or over the machine's suspension, is noticed as well",
  async (jump) => {
    const { look, database, clock } = open();
    await look(10);
    database.offset += jump;
    clock.time.wall += jump;
    expect(await look(6)).toBe(0);
    expect(await look(5)).toBe(5);
  },
);

test("this machine's own clock set alone holds nothing up", async () => {
  const { look, clock } = open();
  await look(10);
  clock.time.wall += 3_600_000;
  expect(await look(5)).toBe(5);
});

test('a clock that is set over and over by too little to be noticed each time is noticed', async () => {
  const { look, database } = open();
  await look(10);
  let noted = 0;
  for (let i = 0; i < 10; i++) {
    database.offset += 400;
    noted += await look(1);
  }
  expect(noted).toBeLessThan(3);
});
