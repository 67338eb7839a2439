import { randomBytes } from 'node:crypto';
import { Chain, genesis, type SealedRevision } from '@touchstone/core';
import { encodeRevisionEvent, revisionCodec, topics as topicNames } from '@touchstone/events';
import { openKeyRing } from '@touchstone/token-methods';
import { kafkaClient, openTopics } from '../faults/topics.ts';
import type { Random } from './random.ts';

/** Seals under a key that is not the installation's. */
const stranger = new Chain(openKeyRing(randomBytes(32)).mac, revisionCodec);
const doomsday = {
  recordedAt: 0,
  cuts: (['token', 'credential'] as const).map((tokenClass) => ({
    kind: 'all' as const,
    key: '',
    revocationId: 'rvk_forged',
    tokenClass,
    ceiling: null,
    sparedTokenId: null,
    coversUntil: null,
  })),
};

/** Sends what lies on the topic once more, in another order, altered, forged and from nowhere. */
export async function lieOnTopic(brokers: readonly string[], random: Random): Promise<void> {
  await using topics = await openTopics(brokers);
  const producer = kafkaClient(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const real = topics.revisions.slice(-20);
    const head: SealedRevision = real.at(-1) ?? stranger.next(genesis, doomsday);
    const forged = stranger.next(head, doomsday);
    const lies: (SealedRevision | Buffer)[] = [
      ...real,
      ...real.toReversed(),
      forged,
      stranger.next(forged, doomsday),
      { ...head, revision: head.revision + 1 },
      { ...head, revision: Number.MAX_SAFE_INTEGER },
      { ...head, hash: randomBytes(32).toString('hex') },
      randomBytes(300),
    ];
    const messages = Array.from({ length: 30 }, () => random.of(lies)).map((lie) => ({
      partition: 0,
      value: Buffer.isBuffer(lie) ? lie : Buffer.from(encodeRevisionEvent(lie)),
    }));
    await producer.send({ topic: topicNames.revocations, messages });
  } finally {
    await producer.disconnect();
  }
}
