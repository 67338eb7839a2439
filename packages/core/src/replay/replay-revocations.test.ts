import { expect, test } from 'vitest';
import { Chain } from '../revisions/chain.ts';
import { genesis, type Head, type SealedRevision } from '../revisions/revision.ts';
import { formatRevision, parseRevision, type RevisionName } from '../revisions/revision-text.ts';
import { codec, cut, macUnder, chain as ours } from '../test-history.ts';
import { TestRevocations } from '../test-writers.ts';
import { type PublishedRevisions, ReplayRefused, type RestoredHistory } from './ports.ts';
import { replayRevocations } from './replay-revocations.ts';

/** Revisions after a head, each saying something of its own. */
function after(head: Head, count: number, word: string, chain = ours): SealedRevision[] {
  const made: SealedRevision[] = [];
  for (let i = 0; i < count; i++) {
    const content = { recordedAt: 0, cuts: [cut(`${word} ${i}`, i)] };
    made.push(chain.next(made.at(-1) ?? head, content));
  }
  return made;
}

/** A topic that tells two messages at a time. */
const topicOf = (messages: readonly (SealedRevision | null)[]): PublishedRevisions => ({
  async *read(from) {
    const end = BigInt(messages.length);
    for (let first = Number(from ?? 0n); first < messages.length; first += 2) {
      const two = messages.slice(first, first + 2);
      yield { messages: two.map((revision, i) => ({ offset: BigInt(first + i), revision })), end };
    }
  },
});

/** A database that was put back to some of its revisions. */
class Restored implements RestoredHistory {
  readonly kept: SealedRevision[];
  /** How many more revisions it takes. */
  left = Number.POSITIVE_INFINITY;

  constructor(kept: readonly SealedRevision[]) {
    this.kept = [...kept];
  }

  head = async (): Promise<Head> => this.kept.at(-1) ?? genesis;
  /** Whether no refresh token is left that was issued before. */
  isWithoutFamilies = true;
  readonly revocations = new TestRevocations();
  /** How many it was asked about at once. */
  asked: number[] = [];
  async strangeAmong<T extends Head>(revisions: readonly T[]): Promise<readonly T[]> {
    this.asked.push(revisions.length);
    return revisions.filter(({ revision, hash }) => this.kept[revision - 1]?.hash !== hash);
  }
  holds = async ({ revision, hashStart }: RevisionName): Promise<boolean> =>
    this.kept[revision - 1]?.hash.startsWith(hashStart) === true;
  isCutOff = async (): Promise<boolean> => this.isWithoutFamilies;
  async append(revisions: readonly SealedRevision[]): Promise<void> {
    if (revisions.length > this.left) throw new Error('the database is away');
    this.left -= revisions.length;
    for (const one of revisions) {
      expect(ours.continues(this.kept.at(-1) ?? genesis, one)).not.toBeNull();
      this.kept.push(one);
    }
  }
}

const silent = { read() {}, found() {}, replayed() {} };

const replay = (
  restored: Restored,
  messages: readonly (SealedRevision | null)[],
  to: Head | null = null,
): ReturnType<typeof replayRevocations> => {
  const { revocations } = restored;
  const ports = { topic: topicOf(messages), history: restored, revocations, chain: ours };
  return replayRevocations(to && parseRevision(formatRevision(to)), ports, silent);
};

const all = after(genesis, 9, 'all');
const altered = (one: SealedRevision): SealedRevision => ({
  ...one,
  content: codec.encode({ recordedAt: 1, cuts: [] }),
});
const foreign = after(all[3] as Head, 3, 'foreign', new Chain(macUnder('theirs'), codec));

test('what was lost is appended as it was, and again there is nothing to do', async () => {
  const restored = new Restored(all.slice(0, 4));
  expect(await replay(restored, all)).toMatchObject({ revisions: 5, head: { revision: 9 } });
  expect(restored.kept).toEqual(all);
  expect(await replay(restored, all)).toMatchObject({ revisions: 0, head: { revision: 9 } });
  expect(restored.kept).toEqual(all);
});

test('what the topic says was changed, and not how, is told', async () => {
  const released = ours.next(all[8] as Head, { recordedAt: 0, cuts: [], releases: ['s1'] });
  const held = ours.next(released, { recordedAt: 0, cuts: [], policies: ['t1'] });
  const told = await replay(new Restored(all), [...all, released, held]);
  expect(told).toMatchObject({ revisions: 2, releases: ['s1'], policies: ['t1'] });
});

test('an end that is named must be on the topic', async () => {
  const restored = new Restored(all.slice(0, 4));
  await expect(replay(restored, all.slice(0, 4), all[6])).rejects.toThrow(ReplayRefused);
});

test.each<[string, (SealedRevision | null)[]]>([
  ['repeats', [...all, ...all.slice(2), ...all]],
  ['another order', all.toReversed()],
  ['foreign ones and rubbish', [null, ...foreign, ...all.slice(0, 6), null, ...foreign, ...all.slice(6), null]],
  ['altered ones beside the true ones', all.flatMap((one) => [altered(one), one])],
  ['a beginning that is gone, up to the backup', all.slice(4)],
])('a topic with %s does not keep it from that', async (_, messages) => {
  const restored = new Restored(all.slice(0, 4));
  await replay(restored, messages);
  expect(restored.kept).toEqual(all);
});

test('the messages that this installation did not write are counted', async () => {
  const restored = new Restored(all.slice(0, 4));
  expect(await replay(restored, [null, ...foreign, ...all])).toMatchObject({ foreign: 4 });
});

test('a revision that is missing is named, and nothing is done', async () => {
  for (const messages of [all.filter((_, i) => i !== 6), all.map((one, i) => (i === 6 ? altered(one) : one))]) {
    const restored = new Restored(all.slice(0, 4));
    await expect(replay(restored, messages)).rejects.toThrow(/revision 7 is missing, or was altered/);
    expect(restored.kept).toHaveLength(4);
  }
});

test('a topic that does not reach back to the backup is refused', async () => {
  const restored = new Restored(all.slice(0, 4));
  await expect(replay(restored, all.slice(6))).rejects.toThrow(/revision 6 is missing/);
  expect(restored.kept).toHaveLength(4);
});

test('an empty topic, and one of another history, prove nothing', async () => {
  await expect(replay(new Restored(all), [])).rejects.toThrow(/holds no revision of this installation/);
  await expect(replay(new Restored(all), foreign)).rejects.toThrow(/holds no revision of this installation/);
  const other = after(genesis, 5, 'other');
  await expect(replay(new Restored(all), other)).rejects.toThrow(/another history/);
  await expect(replay(new Restored(all.slice(0, 4)), other)).rejects.toThrow(/another history/);
});

test('where nothing has ever been revoked, naming where it stands ends the families of refresh tokens', async () => {
  const restored = new Restored([]);
  restored.isWithoutFamilies = false;
  const refused = await replay(restored, []).catch((error: Error) => error);
  expect((refused as Error).message).toContain(formatRevision(genesis));
  expect(restored.revocations.intents).toEqual([]);
  await replay(restored, [], genesis);
  expect(restored.revocations.intents).toHaveLength(1);
});

test('a backup that is ahead of the topic has lost nothing', async () => {
  expect(await replay(new Restored(all), all.slice(0, 7))).toMatchObject({ revisions: 0, head: { revision: 9 } });
});

test('where the topic has two ends, one has to be named', async () => {
  // A restore that was not replayed: the history went on from revision 6.
  const fork = after(all[5] as Head, 2, 'fork');
  const messages = [...all, ...fork];
  const ends = [all.at(-1) as Head, fork.at(-1) as Head];
  const restored = () => new Restored(all.slice(0, 4));
  const refused = await replay(restored(), messages).catch((error: Error) => error);
  expect(refused).toBeInstanceOf(ReplayRefused);
  for (const end of ends) expect((refused as Error).message).toContain(formatRevision(end));
  for (const end of ends) {
    const one = restored();
    await replay(one, messages, end);
    expect((await one.head()).hash).toBe(end.hash);
    // Again: nothing is left to do, though the other end is still there.
    expect(await replay(one, messages, end)).toMatchObject({ revisions: 0 });
  }
  // Of the fork, while the topic's other history has revisions of the same numbers.
  const ofFork = new Restored([...all.slice(0, 6), fork[0] as SealedRevision]);
  await expect(replay(ofFork, messages)).rejects.toThrow(ReplayRefused);
  await replay(ofFork, messages, ends[1]);
  expect(ofFork.kept.at(-1)).toEqual(fork.at(-1));
  await expect(replay(ofFork, messages, ends[0])).rejects.toThrow(ReplayRefused);
});

test('every family of refresh tokens is ended, also where no revision was lost, and not where that is done', async () => {
  const restored = new Restored(all.slice(0, 4));
  restored.isWithoutFamilies = false;
  expect(await replay(restored, all)).toMatchObject({ revisions: 5, head: { revision: 1 } });
  const { intents } = restored.revocations;
  const target = { kind: 'resource_server', key: 'touchstone:refresh' };
  expect(intents).toMatchObject([{ target, cuts: [{ ...target, tokenClass: 'token' }], reach: 'issued' }]);
  await replay(restored, all);
  expect(intents).toHaveLength(2);
  restored.isWithoutFamilies = true;
  await replay(restored, all);
  expect(intents).toHaveLength(2);
});

test('where the history has gone on from the end that is named, it is there', async () => {
  const fork = after(all[5] as Head, 2, 'fork');
  const restored = new Restored([...all, ...after(all[8] as Head, 1, 'families ended')]);
  expect(await replay(restored, [...all, ...fork], all[8])).toMatchObject({ revisions: 0, head: { revision: 10 } });
  await expect(replay(restored, [...all, ...fork], fork[1])).rejects.toThrow(ReplayRefused);
});

test('a history that went on for as long as the lost one is found, though the topic has nothing after its head', async () => {
  // Restored to revision 6 and not replayed: it wrote as many revisions as were lost, and more.
  const went = after(all[5] as Head, 5, 'went on');
  const wrong = new Restored([...all.slice(0, 6), ...went]);
  const messages = [...all, ...went];
  const refused = await replay(wrong, messages).catch((error: Error) => error);
  expect(refused).toBeInstanceOf(ReplayRefused);
  for (const named of [all.at(-1) as Head, went.at(-1) as Head]) {
    expect((refused as Error).message).toContain(formatRevision(named));
  }
  // Not where only the end of what went on was put back, and the topic leads on from that.
  await expect(replay(new Restored([...all.slice(0, 6), ...went.slice(0, 4)]), messages)).rejects.toThrow(
    ReplayRefused,
  );
  // But where that is what is wanted.
  expect(await replay(wrong, messages, went.at(-1))).toMatchObject({ revisions: 0 });
  expect(wrong.kept).toEqual([...all.slice(0, 6), ...went]);
  // What was read together is asked together, and no more is kept.
  expect(Math.max(...wrong.asked)).toBe(2);
});

test('a revision that the database lacks in the midst of its history is told', async () => {
  const holed = new Restored(all);
  delete holed.kept[3];
  await expect(replay(holed, all)).rejects.toThrow(/number 4, .*another history, which the database is not of/);
});

test('it goes on where it was interrupted', async () => {
  const large = after(genesis, 6, 'x'.repeat(200_000));
  const restored = new Restored(large.slice(0, 1));
  restored.left = 3;
  await expect(replay(restored, large)).rejects.toThrow('away');
  expect(restored.kept.length).toBeGreaterThan(1);
  restored.left = Number.POSITIVE_INFINITY;
  await replay(restored, large);
  expect(restored.kept).toEqual(large);
});

test('a revision of a version that is not known is not replayed in part', async () => {
  const strange: Chain = new Chain(macUnder('ours'), {
    ...codec,
    encode: () => Buffer.from('of another version'),
  });
  const messages = [...all, ...after(all.at(-1) as Head, 1, 'strange', strange)];
  const restored = new Restored(all.slice(0, 4));
  await expect(replay(restored, messages)).rejects.toThrow(/revision 10 is of a version that is not known/);
  expect(restored.kept).toHaveLength(4);
});
