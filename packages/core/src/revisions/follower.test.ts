import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Clock } from '../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import { chain, codec, cut, History, macUnder, quiet, TestClock } from '../test-history.ts';
import { Chain } from './chain.ts';
import { Follower, RevisionTooNew } from './follower.ts';
import { segmentsCount } from './mark-segment.ts';
import type { HistoryReader, RevisionCodec } from './ports.ts';
import type { Head, SealedRevision } from './revision.ts';
import type { Mark } from './watermarks.ts';

const still: Clock = { wall: () => 0, monotonic: () => 0 };
const nameOf = ({ revision, hash }: Head) => ({ revision, hashStart: hash });
const follow = (history: History, clock = still, events = quiet) => Follower.start(history, chain, clock, events);

const token = (userHandle: string, sequence: number) =>
  ({
    tokenClass: 'token',
    key: { partition: 0, key: '0'.repeat(32) },
    tenantId: 't',
    appId: null,
    userHandle,
    audience: 's',
    sequence,
    lineage: [],
  }) as never;

test('starts from what is in force, without the revisions that led there', async () => {
  const history = new History();
  for (let i = 1; i <= 10; i++) history.write('ada', i);
  const follower = await follow(history);
  expect(follower.applied).toEqual(history.head);
  expect(follower.watermarks.revokes(token('ada', 10))).toBe(true);
  expect(follower.watermarks.revokes(token('ada', 11))).toBe(false);
});

test('what came before it was loaded may have changed what anybody is shown; from then on it is known whose', async () => {
  const history = new History();
  for (let i = 1; i <= 3; i++) history.write('ada', i);
  const follower = await follow(history);
  expect(follower.releasedAt('t1', 's1')).toBe(3);
  history.writeRelease('s1');
  await follower.refresh();
  expect([follower.releasedAt('t1', 's1'), follower.releasedAt('t1', 's2')]).toEqual([4, 3]);
  history.writeChange({ policies: ['t1'] });
  history.writeChange({ policies: ['t2'] });
  await follower.refresh();
  expect([follower.releasedAt('t1', 's1'), follower.releasedAt('t1', 's2')]).toEqual([5, 5]);
  history.writeRelease('s1');
  await follower.refresh();
  expect([follower.releasedAt('t1', 's1'), follower.releasedAt('t3', 's3')]).toEqual([7, 3]);
  Object.assign(history, new History());
  history.write('eve', 1);
  await follower.refresh();
  expect([follower.releasedAt('t1', 's2'), follower.releasedAt('t3', 's1')]).toEqual([1, 1]);
});

test.each([
  ['a watermark is gone', (h: History) => h.marks.delete('ada')],
  ['a watermark has been lowered', (h: History) => h.marks.set('ada', { ...(h.marks.get('ada') as Mark), ceiling: 1 })],
  [
    'a watermark is of no known kind',
    (h: History) => h.marks.set('ada', { ...h.marks.get('ada'), kind: 'x' } as never),
  ],
  ['the digest has been replaced', (h: History) => Object.assign(h, { digest: '0'.repeat(64) })],
])('does not start when %s', async (_, tamper) => {
  const history = new History();
  history.write('ada', 5);
  tamper(history);
  await expect(follow(history)).rejects.toThrow(StoreUnavailable);
});

test('whatever a source loses, doubles, reorders, alters or makes up, an answer rests on exactly the history', async () => {
  const prank = fc.constantFrom('pass', 'own', 'lose', 'double', 'alter', 'foreign key', 'renumber', 'swap');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('ada', 'bob'), fc.integer({ min: 1, max: 9 }), prank), { maxLength: 12 }),
      async (steps) => {
        const history = new History();
        const follower = await follow(history);
        let held: SealedRevision | null = null;
        for (const [key, ceiling, how] of steps) {
          const sealed = history.write(key, ceiling);
          const foreign = new Chain(macUnder('theirs'), codec);
          if (how === 'pass' || how === 'double') follower.offer(sealed);
          if (how === 'double') follower.offer(sealed);
          if (how === 'own') follower.takeOwn(sealed, codec.decode(sealed.content));
          if (how === 'alter')
            follower.offer({ ...sealed, content: codec.encode({ recordedAt: 0, cuts: [cut('eve', 9)] }) });
          if (how === 'foreign key')
            follower.offer(foreign.next(follower.applied, { recordedAt: 0, cuts: [cut('eve', 9)] }));
          if (how === 'renumber') follower.offer({ ...sealed, revision: sealed.revision + 1 });
          if (how === 'swap') held = sealed;
          else if (held) follower.offer(held);
        }
        await follower.refresh();
        expect(follower.applied).toEqual(history.head);
        for (const key of ['ada', 'bob', 'eve']) {
          for (let sequence = 1; sequence <= 10; sequence++) {
            const ceiling = history.marks.get(key)?.ceiling ?? 0;
            expect(follower.watermarks.revokes(token(key, sequence))).toBe(sequence <= ceiling);
          }
        }
      },
    ),
  );
});

test('another history with the same numbers is noticed, and nothing of the old one is kept', async () => {
  const history = new History();
  history.write('ada', 1);
  const restored = structuredClone({ head: history.head, revisions: history.revisions, digest: history.digest });
  const marks = new Map(history.marks);
  history.write('ada', 9);
  const replaced: Head[] = [];
  const follower = await follow(history, still, { ...quiet, historyReplaced: (_, after) => void replaced.push(after) });
  Object.assign(history, restored, { marks });
  history.write('bob', 3);
  expect(history.head.revision).toBe(follower.applied.revision);
  await follower.refresh();
  expect(replaced).toEqual([history.head]);
  expect(follower.watermarks.revokes(token('ada', 9))).toBe(false);
  expect(follower.watermarks.revokes(token('bob', 3))).toBe(true);
});

test('a history that went back is noticed, but an answer that merely came late is not taken for one', async () => {
  const history = new History();
  history.write('ada', 1);
  let reloads = 0;
  const follower = await follow(history, still, { ...quiet, historyReplaced: () => void reloads++ });
  const question = { sentAt: { wall: 0, monotonic: 0 }, revision: follower.applied.revision, generation: 0 };
  const late = await history.readAfter(question.revision);
  follower.offer(history.write('ada', 2));
  expect(await follower.absorb(question, late)).toBe(question.generation);
  expect(reloads).toBe(0);
  expect(await follower.absorb({ ...question, revision: 2 }, late)).toBeNull();
  expect(reloads).toBe(1);
});

test('another server is a new generation, and so is another history; what was asked in an earlier one is asked again', async () => {
  const history = new History();
  history.write('ada', 1);
  const follower = await follow(history);
  await follower.refresh();
  const question = { sentAt: { wall: 0, monotonic: 0 }, revision: 1, generation: follower.generation };
  const late = await history.readAfter(question.revision);
  history.server = 'second';
  await follower.refresh();
  expect(follower.generation).toBe(question.generation + 1);
  expect(await follower.absorb(question, late)).toBeNull();
  await follower.refresh();
  expect(follower.generation).toBe(question.generation + 1);
  await follower.absorb({ ...question, revision: 2, generation: follower.generation }, await history.readAfter(1));
  expect(follower.generation).toBe(question.generation + 2);
});

/** A follower on a history, with commits that go to its first server whoever answers the rest. */
async function followInForce(history: History) {
  const follower = await follow(history);
  async function commit(): Promise<void> {
    const { server, answering } = history;
    Object.assign(history, { server: 'first', answering: () => {} });
    await follower.commitUntilCovered(async ({ revision }) => ({ tail: await history.readAfter(revision) }), commit);
    Object.assign(history, { server, answering });
  }
  await commit();
  return follower;
}

test('what was answered is not absorbed where another server answers while the rest is read', async () => {
  const history = new History();
  const follower = await follow(history);
  await follower.refresh();
  for (let i = 1; i <= 5; i++) history.write('ada', i);
  const ask = () => ({ sentAt: { wall: 0, monotonic: 0 }, revision: 0, generation: follower.generation });
  const question = ask();
  const tail = await history.readAfter(0);
  history.answering = () => {
    history.answering = () => {};
    void follower.absorb(ask(), { ...tail, missed: history.revisions, server: 'second' });
  };
  expect(await follower.absorb(question, tail)).toBeNull();
  expect(follower.generation).toBe(question.generation + 1);
});

test('about a revision of long ago, too, only the server in force is believed', async () => {
  const history = new History();
  const [first, second] = [history.write('ada', 1), history.write('ada', 2)];
  for (let i = 3; i <= 5; i++) history.write('ada', i);
  const follower = await followInForce(history);
  expect(await follower.reaches(nameOf(first))).toBe(true);
  expect(await follower.reaches({ ...nameOf(first), hashStart: 'another' })).toBe(false);
  history.server = 'cut off';
  await expect(follower.reaches(nameOf(second))).rejects.toThrow(StoreUnavailable);
});

/** From now on the database tells another history. */
function replace(history: History): void {
  const other = new History();
  for (let i = 1; i <= 6; i++) other.write('bob', i);
  Object.assign(history, { head: other.head, revisions: other.revisions, marks: other.marks, digest: other.digest });
}

test('a revision of the history in force is known as that, whatever had been taken for it before', async () => {
  const history = new History();
  const follower = await followInForce(history);
  // As the topic brings what was lost when the database was put back.
  const lost = new History().write('eve', 1);
  follower.offer(lost);
  expect(follower.applied).toMatchObject({ revision: 1 });
  const [first] = [history.write('ada', 1), history.write('ada', 2)];
  expect(await follower.reaches(nameOf(first))).toBe(true);
  replace(history);
  expect(await follower.reaches(nameOf(history.revisions[0] as Head))).toBe(true);
  expect(await follower.reaches(nameOf(lost))).toBe(false);
});

test('what was proven while another history was loaded proves nothing of that', async () => {
  const history = new History();
  history.write('ada', 1);
  const follower = await follow(history);
  const before = { head: history.head, missed: [], now: 0, server: history.server };
  const question = { sentAt: { wall: 0, monotonic: 0 }, revision: 1, generation: follower.generation };
  const loading = Promise.withResolvers<void>();
  const other = new History();
  other.write('bob', 1);
  vi.spyOn(history, 'load').mockImplementationOnce((take) => loading.promise.then(() => other.load(take)));
  const replacing = follower.absorb(question, { ...before, head: other.head });
  expect(await follower.absorb(question, before)).toBe(question.generation);
  loading.resolve();
  expect(await replacing).toBe(null);
  expect([follower.applied, follower.age]).toEqual([other.head, Number.POSITIVE_INFINITY]);
});

test('of revisions of long ago the hashes are asked for, all together and each once, with no more than what is missed', async () => {
  const history = new History();
  const old = Array.from({ length: 500 }, (_, i) => history.write('ada', i + 1));
  for (let i = 501; i <= 510; i++) history.write('ada', i);
  const follower = await followInForce(history);
  history.write('ada', 511);
  const asked = vi.spyOn(history, 'hashesOf');
  const answers = [...old, ...old].map((one) => follower.reaches(nameOf(one)));
  expect(await Promise.all(answers)).toEqual(Array(1_000).fill(true));
  const numbers = old.map(({ revision }) => revision);
  expect(asked).toHaveBeenCalledExactlyOnceWith(numbers, 510);
  expect(follower.applied).toEqual(history.head);
  expect(old.every((one) => follower.hasReached(nameOf(one)))).toBe(true);
});

test('in another history the hash of a revision of long ago is another, also where that comes before it is told', async () => {
  const history = new History();
  const [first, second] = [history.write('ada', 1), history.write('ada', 2)];
  for (let i = 3; i <= 5; i++) history.write('ada', i);
  const follower = await followInForce(history);
  expect(await follower.reaches(nameOf(first))).toBe(true);
  vi.spyOn(history, 'hashesOf').mockImplementationOnce(async (revisions, after) => {
    setImmediate(() => {
      replace(history);
      void follower.refresh();
    });
    return history.hashesOf(revisions, after);
  });
  expect(await follower.reaches(nameOf(second))).toBe(false);
  expect(follower.applied).toEqual(history.head);
  expect(await follower.reaches(nameOf(first))).toBe(false);
});

test('what is missing, however much, is taken from the server in force alone', async () => {
  const history = new History();
  const follower = await followInForce(history);
  for (let i = 1; i <= 5; i++) history.write('ada', i);
  const asked = history.asked;
  history.answering = () => {
    if (history.asked > asked + 1) history.server = 'cut off';
  };
  await expect(follower.refresh()).rejects.toThrow(StoreUnavailable);
  history.answering = () => {};
  history.server = 'first';
  await follower.refresh();
  expect(follower.applied).toEqual(history.head);
});

test('while a revision says what only a newer version of the program knows, nobody gets an answer, and no source fails', async () => {
  const history = new History();
  let isKnown = true;
  const decode: RevisionCodec['decode'] = (bytes) => {
    if (!isKnown) throw new Error('an entry is of an unknown kind');
    return codec.decode(bytes);
  };
  const follower = await Follower.start(history, new Chain(macUnder('ours'), { ...codec, decode }), still, quiet);
  const sealed = history.write('ada', 1);
  isKnown = false;
  follower.offer(sealed);
  const failed = await follower.refresh().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(StoreUnavailable);
  expect((failed as StoreUnavailable).cause).toBeInstanceOf(RevisionTooNew);
  isKnown = true;
  await follower.refresh();
  expect(follower.applied).toEqual(history.head);
});

test('the age counts from the sending of the question, on whichever clock more time has passed', async () => {
  const time = { wall: 0, monotonic: 0 };
  const history = new History();
  const clock: Clock = { wall: () => time.wall, monotonic: () => time.monotonic };
  const follower = await follow(history, clock);
  const slow: HistoryReader['readAfter'] = History.prototype.readAfter;
  history.readAfter = async (revision) => {
    time.wall += 40;
    time.monotonic += 40;
    return slow.call(history, revision);
  };
  await follower.refresh();
  expect(follower.age).toBe(40);
  // The machine was suspended: its monotonic clock stood still.
  time.wall += 5_000;
  expect(follower.age).toBe(5_040);
  time.wall -= 3_600_000;
  time.monotonic += 100;
  expect(follower.age).toBe(140);
});

test("the database's clock goes on from the youngest question, however late the answer to an older one comes", async () => {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await follow(history, clock);
  const questionNow = () => ({ sentAt: { ...clock.time }, revision: 0, generation: follower.generation });
  const answered = async (now: number) => ({ ...(await history.readAfter(0)), now });
  const older = questionNow();
  clock.pass(1_900);
  const younger = questionNow();
  clock.pass(100);
  await follower.absorb(younger, await answered(11_900));
  // It has waited for a connection.
  await follower.absorb(older, await answered(12_000));
  expect([follower.age, follower.databaseNow]).toEqual([100, 12_000]);
});

test('without the database there is no proof and no answer', async () => {
  const history = new History();
  const follower = await follow(history);
  history.away = true;
  await expect(follower.refresh()).rejects.toThrow(StoreUnavailable);
});

test('questions that come together share one that is sent after them', async () => {
  const history = new History();
  const follower = await follow(history);
  let sent = 0;
  const read = history.readAfter.bind(history);
  history.readAfter = async (revision) => {
    sent++;
    await new Promise<void>((resolve) => setTimeout(resolve, 5));
    return read(revision);
  };
  await Promise.all(Array.from({ length: 50 }, () => follower.refresh()));
  expect(sent).toBe(1);
  const first = follower.refresh();
  await new Promise<void>((resolve) => setImmediate(resolve));
  // What has been sent may be too old for who comes now.
  await Promise.all([first, follower.refresh(), follower.refresh()]);
  expect(sent).toBe(3);
});

test('what ended more than a day ago is forgotten, once the clocks of the database and of this machine both say so', async () => {
  const [history, clock] = [new History(), new TestClock()];
  const end = clock.wall();
  history.write('ada', 5, { coversUntil: end });
  const follower = await follow(history, clock);
  const refreshOften = async () => {
    for (let i = 0; i < segmentsCount; i++) {
      clock.pass(1_000);
      await follower.refresh();
    }
    return follower.watermarks.revokes(token('ada', 5));
  };
  history.now = end + 2 * 86_400_000;
  expect(await refreshOften()).toBe(true);
  clock.pass(2 * 86_400_000);
  expect(await refreshOften()).toBe(false);
  history.now = end + 1;
  history.write('ada', 5, { coversUntil: end });
  await follower.refresh();
  expect(await refreshOften()).toBe(true);
});

test('what was forgotten while both clocks ran ahead is loaded anew once the database says that it was too early', async () => {
  const [history, clock] = [new History(), new TestClock()];
  const end = clock.wall() + 90 * 86_400_000;
  history.write('ada', 5, { coversUntil: end });
  const follower = await follow(history, clock);
  history.now = end + 2 * 86_400_000;
  clock.pass(92 * 86_400_000);
  for (let i = 0; i < segmentsCount; i++) {
    clock.pass(1_000);
    await follower.refresh();
  }
  expect(follower.watermarks.revokes(token('ada', 5))).toBe(false);
  history.now = end - 1;
  await follower.refresh();
  expect(follower.watermarks.revokes(token('ada', 5))).toBe(true);
});
