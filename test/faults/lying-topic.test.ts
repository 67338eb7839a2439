import { randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { IssueTokenResponse } from '@touchstone/contracts';
import { Chain, type CutTarget, genesis, type Head, type RevisionContent, type SealedRevision } from '@touchstone/core';
import { encodeRevisionEvent, revisionCodec, topics as topicNames } from '@touchstone/events';
import { openKeyRing } from '@touchstone/token-methods';
import kafkajs, { type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keysOf } from '../harness/installation-keys.ts';
import { type Calls, callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, metric, readiness } from './services.ts';
import { kafkaClient, openTopics, type Topics } from './topics.ts';
import { untilTrue } from './until.ts';

const { CompressionCodecs, CompressionTypes } = kafkajs;
const distrusted = 'touchstone_revisions_distrusted';

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
  'a real event with a byte of its content altered': [0, (_, head) => [{ ...head, content: altered(head.content) }]],
  'a real event with a byte of its hash altered': [1, (_, head) => [{ ...head, hash: alteredHash(head.hash) }]],
  'a real event under the next number': [1, (_, head) => [{ ...head, revision: head.revision + 1 }]],
  'an event from the far future': [1, (_, head) => [{ ...head, revision: Number.MAX_SAFE_INTEGER }]],
  'garbage, emptiness and tombstones': [
    0,
    () => [randomBytes(300), Buffer.alloc(0), null, Buffer.from('{"revision":1}'), randomBytes(1_000_000)],
  ],
  'a real event with garbage behind it': [0, (_, head) => [Buffer.concat([encodeRevisionEvent(head), randomBytes(9)])]],
};

describe.skipIf(!(await ownKafka('lying-topic')))('with Kafka: on the topic of revisions', () => {
  let own: OwnStack;
  let installation: Chain;
  let calls: Calls;
  let topics: Topics;
  let producer: Producer;
  let live: IssueTokenResponse[];
  const revoked: IssueTokenResponse[] = [];
  const cleanup = new AsyncDisposableStack();

  beforeAll(async () => {
    own = cleanup.use(await openOwnStack({ kafka: 'local' }));
    installation = new Chain((await keysOf(own.stack)).mac, revisionCodec);
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

  /** The real revisions, once all of them are on the topic. */
  async function realRevisions(): Promise<readonly [readonly SealedRevision[], SealedRevision]> {
    const real: SealedRevision[] = [];
    const isComplete = () => {
      real.length = 0;
      for (const one of topics.revisions) if (installation.continues(real.at(-1) ?? genesis, one)) real.push(one);
      return real.length >= revoked.length;
    };
    await untilTrue('the real ones are on the topic', isComplete);
    return [real, real.at(-1) as SealedRevision];
  }

  /**
   * Partitions are read in order: once this is distrusted, all that was sent before has been read. A service that has had
   * to connect anew reads from the end on, so it is sent until each has read it.
   */
  async function allIsRead(): Promise<void> {
    const services = allServices(own.stack);
    const before = await Promise.all(services.map((service) => metric(service, distrusted)));
    const [, head] = await realRevisions();
    const last = asValue({ ...head, revision: head.revision + 1_000 });
    let sentAt = Number.NEGATIVE_INFINITY;
    for (const [i, service] of services.entries()) {
      const isRead = async () => {
        if (performance.now() - sentAt > 1_000) {
          await send([last]);
          sentAt = performance.now();
        }
        return (await metric(service, distrusted)) > (before[i] ?? 0);
      };
      await untilTrue(`the ${service.name} has read it`, isRead);
    }
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

  test('a compression that the services can not read: no wrong answer', async () => {
    // This process can: its own reader must not stumble.
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
      decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
    });
    const message = { value: Buffer.from('what nobody reads'), partition: 0 };
    await producer.send({ topic: topicNames.revocations, compression: CompressionTypes.ZSTD, messages: [message] });
    await nothingIsWrong();
    await allIsRead();
    await nothingIsWrong();
  });

  test('the history was never replaced', async () => {
    for (const service of allServices(own.stack))
      expect(await metric(service, 'touchstone_histories_replaced')).toBe(0);
  });
});
