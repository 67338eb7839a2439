/** Where a Kafka node keeps its data and listens. */
export interface KafkaNode {
  readonly dataDir: string;
  /** Port of the listener for clients. */
  readonly port: number;
  /** Port of the listener for the node's own controller. */
  readonly controllerPort: number;
  /** A single node that it is to be the second broker of; absent: it is one itself. Its controller port is not used then. */
  readonly joins?: KafkaNode;
}

/** The `server.properties` of a single node that is broker and controller in one, or of a broker beside it, on 127.0.0.1 alone. */
export function kafkaSettings(node: KafkaNode): string {
  const { dataDir, port, joins } = node;
  const { controllerPort } = joins ?? node;
  const listeners = [`BROKER://127.0.0.1:${port}`, ...(joins ? [] : [`CONTROLLER://127.0.0.1:${controllerPort}`])];
  const settings: Readonly<Record<string, string | number | boolean>> = {
    'process.roles': joins ? 'broker' : 'broker,controller',
    'node.id': joins ? 2 : 1,
    listeners: listeners.join(),
    'listener.security.protocol.map': 'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    'log.dirs': dataDir,
    'auto.create.topics.enable': false,
    ...internalTopics,
    ...quickness,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

// Their defaults are for a cluster of three and for thousands of consumers.
const internalTopics = {
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 4,
};

const quickness = {
  // The first consumer of a group need not wait for others.
  'group.initial.rebalance.delay.ms': 0,
  // After a crash the node waits until its former self has timed out.
  'broker.session.timeout.ms': 3_000,
  'broker.heartbeat.interval.ms': 500,
  // Of a heap of 512 MiB, the default takes a quarter.
  'log.cleaner.dedupe.buffer.size': 32 * 1024 * 1024,
};
