import { connectFor } from './cluster.ts';
import type { KafkaConnection } from './connection.ts';
import { fetch, partition } from './fetch.ts';
import type { Cluster } from './kafkajs-internals.ts';
import { Position } from './position.ts';
import type { PartitionMessage } from './record-batches.ts';
import { Sockets } from './sockets.ts';

const requestMilliseconds = 3_000;

/** Reads a partition. */
export interface Partition extends Disposable {
  /** The offset after the last message there was when it was opened. */
  readonly end: bigint;
  /** The offset that is read next. */
  readonly position: bigint;
  /** The messages that follow those of the last call; waits a while for some. @throws when the reading broke. */
  read(): Promise<readonly PartitionMessage[]>;
}

/**
 * Opens a topic's first partition, in no consumer group. Whatever goes wrong afterwards, a read throws, and it is opened
 * anew: that is also how changes of the cluster are followed.
 *
 * @param answerMilliseconds how long a broker may take for what is read at once, to the last byte.
 */
export async function openPartition(
  connection: KafkaConnection,
  topic: string,
  from: 'beginning' | 'end' | bigint,
  signal: AbortSignal,
  answerMilliseconds = 3_000,
): Promise<Partition> {
  using opening = new DisposableStack();
  const sockets = opening.use(new Sockets());
  const onAbort = () => sockets[Symbol.dispose]();
  signal.addEventListener('abort', onAbort);
  opening.defer(() => signal.removeEventListener('abort', onAbort));
  const { cluster } = await connectFor(topic, connection, sockets, requestMilliseconds);
  const end = await offsetOf(cluster, topic, 'end');
  const position = new Position(typeof from === 'bigint' ? from : await offsetOf(cluster, topic, from), end);
  const resources = opening.move();
  return {
    end,
    get position() {
      return position.next;
    },
    read: async () => position.advance(await fetch(cluster, topic, position.next, answerMilliseconds)),
    [Symbol.dispose]: () => resources.dispose(),
  };
}

async function offsetOf(cluster: Cluster, topic: string, of: 'beginning' | 'end'): Promise<bigint> {
  const fromBeginning = of === 'beginning';
  const [found] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]);
  const offset = found?.partitions[0]?.offset;
  if (offset === undefined) throw new Error('the partition has no leader');
  return BigInt(offset);
}
