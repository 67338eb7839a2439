import type { RevisionSource } from '@touchstone/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untilTrue } from '../until.ts';

/** A source of revisions on a real server, which tests write to and take away. */
export interface SourceWorld extends AsyncDisposable {
  readonly source: RevisionSource;
  /** The revisions themselves, or only that there is something new. */
  readonly brings: 'revisions' | 'hints';
  /** Writes a revision, and gives its number. */
  write(): Promise<number>;
  /** Breaks the connections that the source has. */
  breakConnections(): Promise<void>;
  /** Stops the server. */
  stop(): Promise<void>;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
  /** What the server knows of whoever listens to it: connections, groups. */
  listeners(): Promise<readonly string[]>;
}

/** Longer than a source may take to tell, and to be back once its server is. */
const tellMilliseconds = 5_000;
const backMilliseconds = 15_000;

/** What has been told to one subscriber, in order. */
interface Subscriber extends AsyncDisposable {
  readonly told: readonly (number | 'hint')[];
}

async function subscribe({ source }: SourceWorld): Promise<Subscriber> {
  const told: (number | 'hint')[] = [];
  const subscription = await source.subscribe((one) => told.push(one === 'hint' ? one : one.revision));
  return { told, [Symbol.asyncDispose]: () => subscription[Symbol.asyncDispose]() };
}

/** Subscribes, and waits until it is connected: what is written before that is not brought. */
async function listen(world: SourceWorld): Promise<Subscriber> {
  const subscriber = await subscribe(world);
  await untilTrue('it is connected', () => subscriber.told.includes('hint'), backMilliseconds);
  return subscriber;
}

/** Writes, and waits until each of them has been told of it, by what the source brings. */
async function writeAndHear(world: SourceWorld, ...subscribers: Subscriber[]): Promise<void> {
  const before = subscribers.map(({ told }) => told.length);
  const revision = await world.write();
  const hasHeard = ({ told }: Subscriber, i: number) =>
    told.slice(before[i]).includes(world.brings === 'revisions' ? revision : 'hint');
  await untilTrue(`revision ${revision} is told`, () => subscribers.every(hasHeard), tellMilliseconds);
}

/** What keeps this process alive: timers and sockets. */
const alive = () => process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP/.test(kind)).length;

/** What every source of revisions promises, whatever brings them. */
export function describeRevisionSource(name: string, skip: boolean, open: () => Promise<SourceWorld>): void {
  describe.skipIf(skip)(`revisions from ${name}`, () => {
    let world: SourceWorld;
    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    test('what is written is told soon', async () => {
      await using subscriber = await listen(world);
      for (let i = 0; i < 5; i++) await writeAndHear(world, subscriber);
    });

    test('each of several subscribers is told everything', async () => {
      await using first = await listen(world);
      await using second = await listen(world);
      for (let i = 0; i < 5; i++) await writeAndHear(world, first, second);
    });

    test('once connected it hints that there may be something, for what came before it does not bring', async () => {
      await world.write();
      await using subscriber = await subscribe(world);
      await untilTrue('the hint', () => subscriber.told.includes('hint'), tellMilliseconds);
    });

    test('when its connections break it hints that something may be missing, and goes on', async () => {
      await using subscriber = await listen(world);
      await writeAndHear(world, subscriber);
      const { length } = subscriber.told;
      await world.breakConnections();
      await untilTrue('the hint', () => subscriber.told.slice(length).includes('hint'), backMilliseconds);
      for (let i = 0; i < 3; i++) await writeAndHear(world, subscriber);
    });

    test('while its server is away it can be subscribed to and closed, and it tells once the server is back', async () => {
      await world.stop();
      const started = performance.now();
      await using subscriber = await subscribe(world);
      await (await subscribe(world))[Symbol.asyncDispose]();
      expect(performance.now() - started).toBeLessThan(backMilliseconds);
      const { length } = subscriber.told;
      await world.start();
      await untilTrue('the hint', () => subscriber.told.slice(length).includes('hint'), backMilliseconds);
      await writeAndHear(world, subscriber);
    });

    test('closed it tells nothing more, and leaves neither connection nor group nor timer behind', async () => {
      const before = alive();
      const subscriber = await listen(world);
      await writeAndHear(world, subscriber);
      await subscriber[Symbol.asyncDispose]();
      const { length } = subscriber.told;
      await untilTrue('nobody listens', async () => (await world.listeners()).length === 0, tellMilliseconds);
      await untilTrue('nothing is left', () => alive() <= before, tellMilliseconds);
      await world.write();
      expect(subscriber.told).toHaveLength(length);
    });
  });
}
