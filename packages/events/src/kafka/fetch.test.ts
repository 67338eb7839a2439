import { expect, test } from 'vitest';
import { fetch } from './fetch.ts';
import type { Cluster } from './kafkajs-internals.ts';

interface Reading {
  readonly response: { decode(bytes: Buffer): Promise<unknown>; parse(answer: unknown): Promise<unknown> };
}

/** A cluster whose broker answers whatever it is asked with these bytes, in the latest version that kafkajs knows. */
const answering = (answer: Buffer) =>
  ({
    findLeaderForPartitions: () => ({ 1: [0] }),
    findBroker: async () => ({
      lookupRequest: () => () => ({ request: { apiVersion: 11 } }),
      connectionPool: { send: async ({ response }: Reading) => response.parse(await response.decode(answer)) },
    }),
  }) as unknown as Cluster;

/** Without a topic: how long to wait, an error, no session, and how many topics there are. */
function withoutTopic(error: number): Buffer {
  const answer = Buffer.alloc(14);
  answer.writeInt32BE(700);
  answer.writeInt16BE(error, 4);
  return answer;
}

test('who has read more than a quota lets through is told of nothing', async () => {
  const fetched = await fetch(answering(withoutTopic(0)), 'topic', 7n, 3_000);
  expect(fetched).toEqual({ messages: [], end: null, highWatermark: null });
});

test('what a broker refuses as a whole is told as that', async () => {
  await expect(fetch(answering(withoutTopic(70)), 'topic', 7n, 3_000)).rejects.toMatchObject({
    type: 'FETCH_SESSION_ID_NOT_FOUND',
  });
});
