import { expect, test } from 'vitest';
import { Fenced, StoreUnavailable } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { Presence } from './presence.ts';

const fenceMilliseconds = 5_000;

/** A presence whose commits take as long as is said, or fail. */
async function open() {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await Follower.start(history, chain, clock, quiet);
  const commit = { milliseconds: 0, fails: false, count: 0, server: '' };
  const census = {
    async beat({ revision }: { revision: number }) {
      clock.pass(commit.milliseconds);
      commit.count++;
      if (commit.fails) throw new StoreUnavailable();
      return { ...(await history.readAfter(revision)), ...(commit.server ? { server: commit.server } : {}) };
    },
    async leave() {
      commit.count++;
    },
  };
  const presence = new Presence(census, follower, clock, fenceMilliseconds);
  return { presence, history, follower, clock, commit, isCurrent: () => isCurrent(presence) };
}

function isCurrent(presence: Presence): boolean {
  try {
    presence.requireCurrent();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(Fenced);
    return false;
  }
}

test('before the first commit nothing is proven', async () => {
  const { isCurrent } = await open();
  expect(isCurrent()).toBe(false);
});

test('a commit proves it until the fence has passed, and not a millisecond longer', async () => {
  const { presence, clock, isCurrent } = await open();
  await presence.beat();
  clock.pass(fenceMilliseconds);
  expect(isCurrent()).toBe(true);
  clock.pass(1);
  expect(isCurrent()).toBe(false);
  await presence.beat();
  expect(isCurrent()).toBe(true);
});

test('it counts from the sending of the commit, however long that took', async () => {
  const { presence, clock, commit, isCurrent } = await open();
  await presence.beat();
  commit.milliseconds = 3_000;
  await presence.beat();
  clock.pass(2_000);
  expect(isCurrent()).toBe(true);
  clock.pass(1);
  expect(isCurrent()).toBe(false);
  commit.milliseconds = fenceMilliseconds + 1;
  await expect(presence.beat()).rejects.toThrow(StoreUnavailable);
  expect(isCurrent()).toBe(false);
});

test('whoever the census did not count commits twice: what was told meanwhile comes with the second answer', async () => {
  const { presence, clock, commit, isCurrent, history, follower } = await open();
  await presence.beat();
  expect(commit.count).toBe(2);
  clock.pass(fenceMilliseconds);
  await presence.beat();
  expect(commit.count).toBe(3);
  clock.pass(fenceMilliseconds + 1);
  // Its row has lapsed: all that are counted may be found to have a revision that its answer, on the way, lacks.
  const snapshot = history.readAfter.bind(history);
  history.readAfter = async (revision) => {
    const answer = await snapshot(revision);
    if (commit.count === 4) history.write('ada', 1);
    return answer;
  };
  await presence.beat();
  expect(commit.count).toBe(5);
  expect(follower.applied).toEqual(history.head);
  expect(isCurrent()).toBe(true);
});

test('a row that lapses while it is committed was not counted', async () => {
  const { presence, clock, commit, isCurrent } = await open();
  await presence.beat();
  clock.pass(fenceMilliseconds - 1);
  commit.milliseconds = 2;
  await presence.beat();
  expect(commit.count).toBe(4);
  expect(isCurrent()).toBe(true);
});

test('whoever has left answers nothing', async () => {
  const { presence, isCurrent } = await open();
  await presence.beat();
  await presence.leave();
  expect(isCurrent()).toBe(false);
});

test('a commit that failed proves nothing, and takes nothing away', async () => {
  const { presence, clock, commit, isCurrent } = await open();
  await presence.beat();
  commit.fails = true;
  clock.pass(fenceMilliseconds);
  await expect(presence.beat()).rejects.toThrow(StoreUnavailable);
  expect(isCurrent()).toBe(true);
  clock.pass(1);
  expect(isCurrent()).toBe(false);
});

test('a machine that was suspended, its monotonic clock too, knows that it was', async () => {
  const { presence, clock, isCurrent } = await open();
  await presence.beat();
  clock.time.wall += fenceMilliseconds + 1;
  expect(isCurrent()).toBe(false);
  clock.time.wall -= 3_600_000;
  clock.time.monotonic += fenceMilliseconds + 1;
  expect(isCurrent()).toBe(false);
});

test('a beat brings the revisions along', async () => {
  const { presence, history, follower } = await open();
  for (let i = 1; i <= 5; i++) history.write('ada', i);
  await presence.beat();
  expect(follower.applied).toEqual(history.head);
});

test('a server that did not take the last commit is not believed, however long its connections last', async () => {
  const { presence, follower, commit } = await open();
  await presence.beat();
  await follower.refresh();
  // Another server has been promoted: commits go there, and reads still to the one before.
  commit.server = 'promoted';
  await presence.beat();
  await expect(follower.refresh()).rejects.toThrow(StoreUnavailable);
});

test('a server that was started anew is believed as soon as it takes a commit, which is made at once', async () => {
  const { presence, follower, history, commit, clock } = await open();
  await presence.beat();
  history.server = 'started anew';
  const { count } = commit;
  clock.pass(1_000);
  await follower.refresh();
  expect(commit.count).toBe(count + 1);
  expect(follower.age).toBe(0);
});

test('where that fails nothing is believed', async () => {
  const { presence, follower, history, commit } = await open();
  await presence.beat();
  history.server = 'another';
  commit.fails = true;
  await expect(follower.refresh()).rejects.toThrow(StoreUnavailable);
  commit.fails = false;
  await follower.refresh();
});
