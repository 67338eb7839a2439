import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type RelayOptions, runRelay } from './relay.ts';
import { type Fault, World } from './test-outbox.ts';

const quick = {
  pollMilliseconds: 1,
  leadMilliseconds: 1,
  delays: { firstMilliseconds: 1, longestMilliseconds: 2 },
  log: () => {},
};

/** Runs a relay while the world is put to the test. */
async function relaying(world: World, during: () => unknown, options: Partial<RelayOptions> = {}): Promise<void> {
  const ended = new AbortController();
  const running = runRelay(world, world, { ...quick, signal: ended.signal, ...options });
  try {
    await during();
  } finally {
    ended.abort();
    await running;
  }
}

const until = (isSo: () => boolean) => vi.waitUntil(isSo, { interval: 1, timeout: 20_000 });
const done = (world: World) => until(() => world.isDone);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

test('everything is published once and in order when nothing fails', async () => {
  const world = new World();
  world.write(25);
  await relaying(
    world,
    async () => {
      await done(world);
      world.write(5);
      await done(world);
    },
    { batchMax: 10 },
  );
  expect(world.published.revisions).toEqual(upTo(30));
  expect(world.published.audit).toEqual(upTo(30).map((i) => `event-ten_1-${i}`));
  expect(world.leaders).toBe(0);
});

test.each<Fault>(['fails', 'fails afterwards', 'loses the lead', 'is killed'])(
  'at whatever step it %s, nothing is lost and no revision overtakes another',
  async (fault) => {
    for (let at = 0; at < 14; at++) {
      const world = new World();
      world.write(3);
      let step = 0;
      world.fault = () => (step++ === at ? fault : 'none');
      await untilDone(world);
      expectAll(world, 3);
    }
  },
);

test('whatever fails, however often, nothing is lost and no revision overtakes another', async () => {
  const fault = fc.constantFrom<Fault>('none', 'none', 'fails', 'fails afterwards', 'loses the lead', 'is killed');
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), async (faults, batchMax) => {
      const world = new World();
      world.write(5);
      world.fault = () => {
        if (faults.length % 7 === 3) world.write(1);
        return faults.shift() ?? 'none';
      };
      await untilDone(world, { batchMax });
      expectAll(world, world.marked.revision);
    }),
  );
});

/** Runs relays, a new one where one was killed, until all is marked. */
async function untilDone(world: World, options: Partial<RelayOptions> = {}): Promise<void> {
  while (!world.isDone) {
    const killed = new AbortController();
    world.kill = () => killed.abort();
    const watching = setInterval(() => world.isDone && killed.abort(), 1);
    await runRelay(world, world, { ...quick, signal: killed.signal, ...options });
    clearInterval(watching);
  }
}

function expectAll(world: World, count: number): void {
  expect([...new Set(world.published.revisions)]).toEqual(upTo(count));
  expect(world.overtaken).toBe(false);
  expect(new Set(world.published.audit).size).toBe(count);
}

test('killed between publishing and marking it publishes again', async () => {
  const world = new World();
  world.write(2);
  const faults: Record<string, Fault> = { 'mark revisions': 'fails' };
  world.fault = (step) => {
    const fault = faults[step] ?? 'none';
    delete faults[step];
    return fault;
  };
  await relaying(world, () => done(world));
  expect(world.published.revisions).toEqual([1, 2, 1, 2]);
});

test('while Kafka is away the lead is kept, and what came meanwhile is published', async () => {
  const world = new World();
  let away = true;
  const warnings: string[] = [];
  world.fault = (step) => (away && (step === 'revisions' || step === 'audit') ? 'fails' : 'none');
  world.write(1);
  const attempts = () => world.steps.filter((step) => step === 'revisions').length;
  const during = async () => {
    await until(() => attempts() > 3);
    world.write(1);
    const before = attempts();
    await until(() => attempts() > before + 1);
    away = false;
    await done(world);
  };
  const log: RelayOptions['log'] = (level, message) => level === 'warn' && warnings.push(message);
  await relaying(world, during, { log });
  expect(world.published.revisions).toEqual([1, 2]);
  expect(world.steps.filter((step) => step === 'lead')).toHaveLength(1);
  expect(warnings).toHaveLength(2);
});

test('trouble with the one topic does not hold up the other', async () => {
  const world = new World();
  world.write(3);
  world.fault = (step) => (step === 'audit' ? 'fails' : 'none');
  await relaying(world, () => until(() => world.marked.revision === 3));
  expect(world.marked.audit).toBe(0);
});

test('of two replicas one publishes, and the other when the first has ended', async () => {
  const world = new World();
  world.write(1);
  const first = new AbortController();
  const published: string[] = [];
  const options = { ...quick, onPublished: () => published.push('first'), signal: first.signal };
  const running = runRelay(world, world, options);
  await done(world);
  const during = async () => {
    world.write(1);
    await done(world);
    expect(new Set(published)).toEqual(new Set(['first']));
    first.abort();
    await running;
    world.write(1);
    await done(world);
  };
  await relaying(world, during, { onPublished: () => published.push('second') });
  expect(published.at(-1)).toBe('second');
  expect(world.published.revisions).toEqual([1, 2, 3]);
});

test('a replica that can publish nothing lets another one lead', async () => {
  const world = new World();
  world.write(3);
  const cutOff = {
    publishRevisions: () => Promise.reject(new Error('no way to Kafka')),
    publishAudit: () => Promise.reject(new Error('no way to Kafka')),
  };
  const ended = new AbortController();
  const running = runRelay(world, cutOff, { ...quick, resignMilliseconds: 10, signal: ended.signal });
  await until(() => world.leaders === 1);
  await relaying(world, () => done(world));
  ended.abort();
  await running;
  expect(world.published.revisions).toEqual(upTo(3));
});

test('it ends at once, also while a publication hangs', async () => {
  const world = new World();
  world.write(1);
  let publishing = false;
  world.publishRevisions = () => {
    publishing = true;
    return new Promise(() => {});
  };
  await relaying(world, () => until(() => publishing));
  expect(world.leaders).toBe(0);
});

test('woken, it does not wait for the poll', async () => {
  const world = new World();
  const wakes: (() => void)[] = [];
  const during = async () => {
    await until(() => wakes.length === 2);
    world.write(1);
    for (const wake of wakes) wake();
    await done(world);
  };
  const wake = () => new Promise<void>((resolve) => void wakes.push(resolve));
  await relaying(world, during, { pollMilliseconds: 600_000, wake });
});

test('a broken wake leaves it to the poll', async () => {
  const world = new World();
  const during = async () => {
    await until(() => world.steps.includes('read audit'));
    world.write(1);
    await done(world);
  };
  await relaying(world, during, { pollMilliseconds: 5, wake: () => Promise.reject(new Error('no LISTEN')) });
});
