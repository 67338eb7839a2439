import type { Published, PublishedRevisions } from '@touchstone/core';
import { decodeRevisionEvent } from '../revision-event.ts';
import { type KafkaConnection, KafkaUnavailable, topics } from './connection.ts';
import { openPartition } from './partition.ts';
import type { PartitionMessage } from './record-batches.ts';

/** A batch comes whole, be it 10 MiB over a slow link; whoever follows the topic passes over such a one, and this may not. */
const answerMilliseconds = 60_000;

/** All that lies on the topic of revisions. */
export function publishedRevisions(connection: KafkaConnection): PublishedRevisions {
  return {
    async *read(from) {
      const never = new AbortController().signal;
      const opening = openPartition(connection, topics.revocations, from ?? 'beginning', never, answerMilliseconds);
      using partition = await opening.catch(unavailable);
      while (partition.position < partition.end) {
        const messages = await partition.read().catch(unavailable);
        yield { messages: messages.map(publishedOf), end: partition.end };
      }
    },
  };
}

function unavailable(error: unknown): never {
  throw new KafkaUnavailable('reading the revisions', error);
}

const publishedOf = ({ offset, value }: PartitionMessage): Published => ({
  offset,
  revision: value && decodeRevisionEvent(value),
});
