import { randomBytes } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { IssueTokenResponse } from '@touchstone/contracts';
import { type CutKind, RevisionContentSchema } from '@touchstone/contracts/events';
import { Chain, type CutTarget, genesis, type Head, type RevisionContent, type SealedRevision } from '@touchstone/core';
import { encodeRevisionEvent, revisionCodec, topics as topicNames } from '@touchstone/events';
import { openKeyRing } from '@touchstone/token-methods';
import type { Producer } from 'kafkajs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keysOf } from '../harness/installation-keys.ts';
import { openAdmin, untilAllFollow } from './admin.ts';
import { atLeast, type Calls, callsOf, full, staleBy } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, metric, readiness } from './services.ts';
import { kafkaClient, openTopics, type Topics } from './topics.ts';
import { unreadable } from './unreadable.ts';
import { untilTrue } from './until.ts';

const distrusted = 'touchstone_revisions_distrusted_total';

/** Messages that are sent together; null is a message without a value. */
type Lie = (real: readonly SealedRevision[], head: SealedRevision) => readonly (SealedRevision | Buffer | null)[];

/** Seals under a key that is not the installation's. */
const stranger = new Chain(openKeyRing(randomBytes(32)).mac, revisionCodec);

/** What would revoke a target for good. */
const ending = (target: CutTarget): RevisionContent => ({
  recordedAt: Date.now(),
  cuts: (['token', 'credential'] as const).map((tokenClass) => ({
    ...target,
    revocationId: 'rvk_forged',
    tokenClass,
    ceiling: null,
    sparedTokenId: null,
    coversUntil: null,
  })),
});
const doomsday = ending({ kind: 'all', key: '' });
const harmless = ending({ kind: 'user', key: 'nobody' });
/** What would revoke all that was issued with a sequence up to this; each as long as any other. */
const upTo = (ceiling: 0 | 127): RevisionContent => ({
  ...doomsday,
  cuts: doomsday.cuts.map((cut) => ({ ...cut, ceiling })),
});

function altered(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  const middle = copy.length >> 1;
  copy.writeUInt8(copy.readUInt8(middle) ^ 1, middle);
  return copy;
}
const alteredHash = (hash: string): string => altered(Buffer.from(hash, 'hex')).toString('hex');
const forgedAt = ({ revision, hash }: Head, content: RevisionContent) => stranger.next({ revision, hash }, content);

/** With how many distrusted revisions each must at least be met. */
const lies: Readonly<Record<string, readonly [atLeast: number, lie: Lie]>> = {
  'an event under another key that continues the chain': [1, (_, head) => [forgedAt(head, doomsday)]],
  'a chain of them': [
    2,
    (_, head) => {
      const first = forgedAt(head, harmless);
      return [first, forgedAt(first, doomsday)];
    },
  ],
  'an event under another key in the place of an earlier one': [
    1,
    (real) => [forgedAt(real.at(-3) as SealedRevision, harmless)],
  ],
  'an event with a hash that was made up': [
    1,
    (_, head) => [{ ...forgedAt(head, doomsday), hash: randomBytes(32).toString('hex') }],
  ],
  'real events doubled': [0, (real) => [...real, ...real]],
  'real events in reverse': [0, (real) => real.toReversed()],
  'a real event with a byte of its hash altered': [1, (_, head) => [{ ...head, hash: alteredHash(head.hash) }]],
  'a real event under the next number': [1, (_, head) => [{ ...head, revision: head.revision + 1 }]],
  'an event from the far future': [1, (_, head) => [{ ...head, revision: Number.MAX_SAFE_INTEGER }]],
  'garbage, emptiness and tombstones': [
    0,
    () => [randomBytes(300), Buffer.alloc(0), null, Buffer.from('{"revision":1}'), randomBytes(1_000_000)],
  ],
  'a real event with garbage behind it': [0, (_, head) => [Buffer.concat([encodeRevisionEvent(head), randomBytes(9)])]],
};

/** Seals under the installation's key, but for the database. */
type Seal = (head: Head, content: RevisionContent | Uint8Array) => SealedRevision;

/** Doomsday, and more: a message that follows another one adds to it. */
const doomsdayAnd = (...more: readonly number[]) => Buffer.concat([revisionCodec.encode(doomsday), Buffer.from(more)]);
const unknownField = [0x78, 1];
const cutOfUnknownKind = toBinary(
  RevisionContentSchema,
  create(RevisionContentSchema, {
    entries: [
      { entry: { case: 'cut', value: { revocationId: 'rvk_new', kind: 99 as CutKind, key: 'new', tokenClass: 1 } } },
    ],
  }),
);

/** They say that they come next, when the one that does is not there yet: nobody has applied it. */
const nextLies: Readonly<Record<string, (head: Head, seal: Seal) => SealedRevision>> = {
  'a true event with a byte of its content altered': (head, seal) => ({
    ...seal(head, upTo(0)),
    content: revisionCodec.encode(upTo(127)),
  }),
  'a true event after one that is not there': (head, seal) => seal(seal(head, harmless), doomsday),
  'a true event that cuts at a kind that is not known, too': (head, seal) =>
    seal(head, doomsdayAnd(...cutOfUnknownKind)),
  'a true event with an entry of a kind that is not known': (head, seal) =>
    seal(head, doomsdayAnd(0x12, unknownField.length, ...unknownField)),
  'a true event with a field that is not known': (head, seal) => seal(head, doomsdayAnd(...unknownField)),
};

describe.skipIf(!(await ownKafka('lying-topic')))('with Kafka: on the topic of revisions', () => {
  let own: OwnStack;
  let installation: Chain;
  let seal: Seal;
  let calls: Calls;
  let topics: Topics;
  let producer: Producer;
  let live: IssueTokenResponse[];
  const revoked: IssueTokenResponse[] = [];
  const cleanup = new AsyncDisposableStack();

  beforeAll(async () => {
    own = cleanup.use(await openOwnStack({ kafka: 'local' }));
    const { mac } = await keysOf(own.stack);
    installation = new Chain(mac, revisionCodec);
    const asBytes = (content: RevisionContent | Uint8Array) =>
      content instanceof Uint8Array ? content : revisionCodec.encode(content);
    seal = (head, content) => new Chain(mac, { ...revisionCodec, encode: () => asBytes(content) }).next(head, harmless);
    calls = callsOf(own.stack, own.world);
    live = await Promise.all([calls.issue(), calls.issue()]);
    for (let i = 0; i < 8; i++) await revokeOne();
    topics = cleanup.use(await openTopics(own.stack.kafkaBrokers));
    producer = kafkaClient(own.stack.kafkaBrokers).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    cleanup.defer(() => producer.disconnect());
  });
  afterAll(() => cleanup[Symbol.asyncDispose]());

  /** Issues a token and revokes it: refused at once, whatever lies on the topic. */
  async function revokeOne(): Promise<void> {
    const issued = await calls.issue();
    await calls.revoke(issued.token);
    revoked.push(issued);
    expect((await calls.validate(issued.token)).active).toBe(false);
  }

  const send = (values: readonly (Buffer | null)[]) =>
    producer.send({ topic: topicNames.revocations, messages: values.map((value) => ({ value, partition: 0 })) });

  const asValue = (one: SealedRevision | Buffer | null): Buffer | null =>
    one === null || Buffer.isBuffer(one) ? one : Buffer.from(encodeRevisionEvent(one));

  /** Whether a revision is the next one, and can be read. */
  function continues(head: Head, one: SealedRevision): boolean {
    try {
      return installation.continues(head, one) !== null;
    } catch {
      return false;
    }
  }

  /** The real revisions, once all of them are on the topic. */
  async function realRevisions(): Promise<readonly [readonly SealedRevision[], SealedRevision]> {
    const real: SealedRevision[] = [];
    const isComplete = () => {
      real.length = 0;
      for (const one of topics.revisions) if (continues(real.at(-1) ?? genesis, one)) real.push(one);
      return real.length >= revoked.length;
    };
    await untilTrue('the real ones are on the topic', isComplete);
    return [real, real.at(-1) as SealedRevision];
  }

  /** Sends what no service takes; one that has had to connect anew reads from the end on, so until each has read it. */
  async function allDistrust(lie: SealedRevision): Promise<void> {
    const services = allServices(own.stack);
    const before = await Promise.all(services.map((service) => metric(service, distrusted)));
    let sentAt = Number.NEGATIVE_INFINITY;
    for (const [i, service] of services.entries()) {
      const isRead = async () => {
        if (performance.now() - sentAt > 1_000) {
          await send([asValue(lie)]);
          sentAt = performance.now();
        }
        return (await metric(service, distrusted)) > (before[i] ?? 0);
      };
      await untilTrue(`the ${service.name} has read it`, isRead);
    }
  }

  /** Partitions are read in order: once this is distrusted, all that was sent before has been read. */
  async function allIsRead(): Promise<void> {
    const [, head] = await realRevisions();
    await allDistrust({ ...head, revision: head.revision + 1_000 });
  }

  /** The revisions after a head, as the database has them. */
  async function revisionsAfter(admin: pg.Client, head: Head): Promise<SealedRevision[]> {
    const { rows } = await admin.query(
      'select revision::int, previous_hash as "previousHash", content, hash from revision where revision > $1 order by revision',
      [head.revision],
    );
    return rows;
  }

  async function nothingIsWrong(): Promise<void> {
    for (const { token } of live) expect((await calls.validate(token)).active).toBe(true);
    for (const { token } of revoked) expect((await calls.validate(token)).active).toBe(false);
    await revokeOne();
    expect(dead(allServices(own.stack))).toEqual([]);
    for (const service of allServices(own.stack)) expect(await readiness(service)).toMatchObject({ ready: true });
  }

  test.each(Object.entries(lies))('%s: no wrong answer', async (_, [atLeast, lie]) => {
    const { validator } = own.stack.services;
    const before = await metric(validator, distrusted);
    await send(lie(...(await realRevisions())).map(asValue));
    // While it is being read, too.
    await revokeOne();
    await allIsRead();
    // The one that says that all is read is one of them, and may have been taken for read as soon as the lie was.
    const met = async () => (await metric(validator, distrusted)) - before;
    await expect.poll(met, { timeout: 30_000 }).toBeGreaterThanOrEqual(atLeast + 1);
    await nothingIsWrong();
  });

  test.each(Object.entries(nextLies))('%s: it is distrusted, and nothing of it is applied', async (_, lie) => {
    const [, head] = await realRevisions();
    await allDistrust(lie(head, seal));
    await nothingIsWrong();
  });

  test('real events of which one is lost: what is missing comes from Postgres', async () => {
    const [, head] = await realRevisions();
    const [lost, after] = [await calls.issue(), await calls.issue()];
    for (const { token } of [lost, after]) expect((await calls.validate(token, staleBy(60))).active).toBe(true);
    await using admin = await openAdmin(own);
    await admin.query('begin');
    await admin.query('lock table relay_position in access exclusive mode');
    const { revision } = await calls.revoke(lost.token);
    await calls.revoke(after.token);
    await admin.query('update relay_position set revision = $1', [head.revision + 1]);
    await admin.query('commit');
    const both = await revisionsAfter(admin, head);
    const told = () => both.map(({ hash }) => topics.revisions.some((one) => one.hash === hash));
    await untilTrue('the one after it is on the topic', () => told()[1] === true);
    await untilAllFollow(admin);
    for (const { token } of [lost, after]) {
      for (const freshness of [full, staleBy(60), atLeast(revision)]) {
        expect((await calls.validate(token, freshness)).active).toBe(false);
      }
    }
    expect(told()).toEqual([false, true]);
    revoked.push(lost, after);

    // It comes too late, and the other one again.
    await send(both.map(asValue));
    await nothingIsWrong();
    await allIsRead();
  });

  test.each(Object.entries(unreadable))('%s: no wrong answer, and no replica ends', async (_, sendTo) => {
    await sendTo(producer);
    await nothingIsWrong();
    await allIsRead();
    await nothingIsWrong();
  });

  test('the history was never replaced', async () => {
    for (const service of allServices(own.stack))
      expect(await metric(service, 'touchstone_histories_replaced_total')).toBe(0);
  });
});
