import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { pause } from '../backoff.ts';
import { type KafkaConnection, KafkaUnavailable, kafkaConfig, type Topics, topics } from './connection.ts';
import { Sockets } from './sockets.ts';
import { type TopicState, warningsAbout } from './topic-warnings.ts';

export interface TopicOptions extends KafkaConnection {
  readonly topics?: Topics;
  /** Copies of each event; by default three, or as many as there are brokers. */
  readonly replicationFactor?: number;
  readonly auditPartitions?: number;
  readonly auditRetentionMilliseconds?: number;
}

const tenYears = 10 * 365 * 86_400_000;
/** A revision that revokes many single tokens is one message. */
const messageBytesMax = 10 * 1024 * 1024;

const servedMilliseconds = 100;
const servedAttemptsMax = 50;

/**
 * Makes the topics that are missing; leaves those that exist as they are.
 * @returns the names of those that it has made.
 * @throws KafkaUnavailable
 */
export async function ensureTopics(options: TopicOptions): Promise<readonly string[]> {
  const { topics: names = topics, replicationFactor, auditPartitions = 12 } = options;
  const { auditRetentionMilliseconds = tenYears } = options;
  return withAdmin(options, 'making the topics', async (admin) => {
    const existing = await admin.listTopics();
    const { brokers } = await admin.describeCluster();
    const copies = replicationFactor ?? Math.min(3, brokers.length);
    const wanted = [
      topicConfig(names.revocations, 1, copies, -1),
      topicConfig(names.audit, auditPartitions, copies, auditRetentionMilliseconds),
    ];
    const missing = wanted.filter(({ topic }) => !existing.includes(topic));
    if (missing.length === 0) return [];
    // Another replica may be making them at the same time: that is no error.
    const isMade = await admin.createTopics({ topics: missing, waitForLeaders: false });
    await untilServed(admin, [names.revocations, names.audit]);
    return isMade ? missing.map(({ topic }) => topic) : [];
  });
}

/** What about the topics as they are can lose events, as sentences for the log. @throws KafkaUnavailable */
export async function checkTopics(options: TopicOptions): Promise<readonly string[]> {
  const { topics: names = topics } = options;
  return withAdmin(options, 'checking the topics', async (admin) => [
    ...warningsAbout(names.revocations, 'revocations', await topicState(admin, names.revocations)),
    ...warningsAbout(names.audit, 'audit', await topicState(admin, names.audit)),
  ]);
}

/** A broker may not know of a topic yet that was just made; kafkajs takes that for an error. */
async function untilServed(admin: Admin, topics: string[]): Promise<void> {
  for (let attempts = 1; ; attempts++) {
    try {
      await admin.fetchTopicMetadata({ topics });
      return;
    } catch (error) {
      if (attempts === servedAttemptsMax) throw error;
    }
    await pause(servedMilliseconds);
  }
}

function topicConfig(topic: string, numPartitions: number, copies: number, retention: number): ITopicConfig {
  const settings = {
    'cleanup.policy': 'delete',
    'retention.ms': retention,
    'retention.bytes': -1,
    'min.insync.replicas': Math.min(2, copies),
    'unclean.leader.election.enable': false,
    'max.message.bytes': messageBytesMax,
    // Read is what is as it was sent, gzip and zstd.
    'compression.type': 'producer',
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value: String(value) }));
  return { topic, numPartitions, replicationFactor: copies, configEntries };
}

async function topicState(admin: Admin, topic: string): Promise<TopicState | null> {
  if (!(await admin.listTopics()).includes(topic)) return null;
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] });
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
  const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
  const entries = resources[0]?.configEntries ?? [];
  return {
    partitions: found[0]?.partitions.map(({ replicas }) => replicas.length) ?? [],
    settings: Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue])),
  };
}

async function withAdmin<Result>(
  connection: KafkaConnection,
  doing: string,
  act: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  using sockets = new Sockets();
  const admin = new kafkajs.Kafka(kafkaConfig(connection, sockets)).admin();
  try {
    await admin.connect();
    return await act(admin);
  } catch (error) {
    throw new KafkaUnavailable(doing, error);
  }
}
