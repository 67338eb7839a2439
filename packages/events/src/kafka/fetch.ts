import { type Cluster, createErrorFromCode, Decoder, fetchKey, fetchRequests } from './kafkajs-internals.ts';
import { type ReadBatches, readBatches } from './record-batches.ts';

/** The one partition that is read. */
export const partition = 0;
// Nothing on the topic is sent in transactions: a foreign one that stays open must not hold up what comes after it.
export const isolationLevel = 0;

const maxWaitTime = 500;
/** Soon here also over a slow link. What is larger by itself comes whole. */
const maxBytes = 1024 * 1024;

/** What a broker answers about the partition. */
interface Answer {
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  /** Null: that is not told. */
  readonly highWatermark: bigint | null;
  readonly batches: Buffer;
}

export interface Fetched extends ReadBatches, Pick<Answer, 'highWatermark'> {}

/** Asks the partition's leader for what follows; it waits a while for some. */
export async function fetch(
  cluster: Cluster,
  topic: string,
  from: bigint,
  answerMilliseconds: number,
): Promise<Fetched> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) throw new Error('the partition has no leader');
  const broker = await cluster.findBroker({ nodeId });
  const topics = [{ topic, partitions: [{ partition, fetchOffset: from.toString(), maxBytes }] }];
  const options = { replicaId: -1, maxWaitTime, minBytes: 1, maxBytes, isolationLevel, topics } as const;
  const fetching = broker.lookupRequest(fetchKey, fetchRequests)(options);
  const decode = async (bytes: Buffer) => answerOf(bytes, fetching.request.apiVersion);
  const parse = async (answer: Answer) => answer;
  const answer = await broker.connectionPool.send({
    ...fetching,
    requestTimeout: answerMilliseconds,
    response: { decode, parse },
  });
  if (answer.errorCode !== 0) throw createErrorFromCode(answer.errorCode);
  return { highWatermark: answer.highWatermark, ...(await readBatches(answer.batches)) };
}

/** In the versions from 4 to 11, which is all that kafkajs asks for of brokers since Kafka 0.11. */
function answerOf(bytes: Buffer, version: number): Answer {
  const answer = new Decoder(bytes);
  const clientSideThrottleTime = answer.readInt32();
  const errorOfAll = version >= 7 ? answer.readInt16() : 0;
  if (version >= 7) answer.forward(4); // the session
  // Who has read more than a quota lets through is told how long to wait, and nothing else; kafkajs sees to that.
  const topicsCount = answer.readInt32();
  if (topicsCount === 0) {
    return { clientSideThrottleTime, errorCode: errorOfAll, highWatermark: null, batches: Buffer.alloc(0) };
  }
  if (topicsCount !== 1) throw new Error('the answer is of other topics, too');
  answer.readString();
  answer.forward(8); // how many partitions, and which it is
  const errorCode = answer.readInt16();
  const highWatermark = answer.readInt64();
  answer.forward(version >= 5 ? 16 : 8); // the last stable offset, and the first one
  answer.forward(16 * Math.max(0, answer.readInt32())); // transactions that were aborted
  if (version >= 11) answer.forward(4); // another replica to read from
  const batches = answer.readBytes(Math.max(0, answer.readInt32()));
  return { clientSideThrottleTime, errorCode, highWatermark, batches };
}
