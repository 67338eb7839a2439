import type { RevisionSource, SealedRevision } from '@touchstone/core';
import { Backoff, pause } from '../backoff.ts';
import { decodeRevisionEvent } from '../revision-event.ts';
import { type KafkaConnection, topics } from './connection.ts';
import { openPartition } from './partition.ts';

export interface KafkaSourceOptions extends KafkaConnection {
  readonly topic?: string;
}

type Deliver = (revision: SealedRevision | 'hint') => void;

const delays = { firstMilliseconds: 100, longestMilliseconds: 3_000 };
const firstAttemptMilliseconds = 2_000;

/**
 * Brings revisions from Kafka, from the moment on that it is connected: every process gets every one. A hint says when
 * some may have passed by: after each connecting, and at messages that are no revisions. While Kafka is away it goes on
 * trying; subscribing waits for the first attempt at most, and never fails.
 */
export function kafkaRevisionSource(options: KafkaSourceOptions): RevisionSource {
  return {
    async subscribe(deliver) {
      const closing = new AbortController();
      const tried = Promise.withResolvers<void>();
      const followed = followUntilClosed(options, deliver, closing.signal, tried.resolve);
      await Promise.race([tried.promise, pause(firstAttemptMilliseconds, closing.signal)]);
      return {
        async [Symbol.asyncDispose]() {
          closing.abort();
          await followed;
        },
      };
    },
  };
}

async function followUntilClosed(
  options: KafkaSourceOptions,
  deliver: Deliver,
  closing: AbortSignal,
  onTried: () => void,
): Promise<void> {
  const { log, topic = topics.revocations } = options;
  const backoff = new Backoff(delays);
  while (!closing.aborted) {
    try {
      await follow({ ...options, topic }, guarded(deliver, options), closing, backoff, onTried);
    } catch (error) {
      const level = backoff.failures === 0 ? 'warn' : 'debug';
      if (!closing.aborted) log(level, 'Kafka brings no revisions', { topic, err: error });
    }
    onTried();
    await backoff.wait(closing);
  }
}

/** Connects and delivers until closed. @throws when it can't, or can't any more. */
async function follow(
  options: Required<KafkaSourceOptions>,
  deliver: Deliver,
  closing: AbortSignal,
  backoff: Backoff,
  onTried: () => void,
): Promise<void> {
  const { log, topic } = options;
  using partition = await openPartition(options, topic, 'end', closing);
  log('info', 'Kafka brings revisions', { topic });
  deliver('hint');
  onTried();
  while (!closing.aborted) {
    const revisions = (await partition.read()).map(({ value }) => value && decodeRevisionEvent(value));
    backoff.reset();
    for (const revision of revisions) if (revision) deliver(revision);
    const foreign = revisions.filter((revision) => !revision).length;
    if (foreign === 0) continue;
    log('warn', 'messages on the topic of revisions are none', { topic, foreign });
    deliver('hint');
  }
}

/** Whoever the revisions are for must not end their delivery. */
function guarded(deliver: Deliver, { log }: KafkaConnection): Deliver {
  return (revision) => {
    try {
      deliver(revision);
    } catch (error) {
      log('error', 'a revision from Kafka could not be taken', { err: error });
    }
  };
}
