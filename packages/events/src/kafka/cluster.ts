import { type KafkaConnection, kafkaConfig } from './connection.ts';
import { isolationLevel } from './fetch.ts';
import { Cluster, createLogger } from './kafkajs-internals.ts';
import type { Sockets } from './sockets.ts';

export interface TopicCluster {
  readonly cluster: Cluster;
  /** Of kafkajs, for what is made over the cluster. */
  readonly logger: unknown;
}

/**
 * Connects to the cluster for the sake of one topic, and asks about no other: by itself kafkajs asks about all that there are,
 * and fails where a partition of any of them has no leader.
 *
 * @throws where the topic is not there, or has no leader.
 */
export async function connectFor(
  topic: string,
  connection: KafkaConnection,
  sockets: Sockets,
  requestTimeout: number,
): Promise<TopicCluster> {
  const config = kafkaConfig(connection, sockets);
  const logger = createLogger({ level: config.logLevel, logCreator: config.logCreator });
  const cluster = new Cluster({
    ...config,
    logger,
    requestTimeout,
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    isolationLevel,
  });
  await cluster.connect();
  await cluster.addTargetTopic(topic);
  return { cluster, logger };
}
