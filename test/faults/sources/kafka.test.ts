import { randomBytes } from 'node:crypto';
import type { RevisionRecord } from '@touchstone/core';
import { ensureTopics, kafkaRevisionSource, openKafkaPublisher, revisionCodec } from '@touchstone/events';
import { freePair, openTemporaryFolder, startKafka } from '@touchstone/local-stack';
import { ownKafka } from '../own-kafka.ts';
import { kafkaClient } from '../topics.ts';
import { describeRevisionSource, type SourceWorld } from './contract.ts';

async function openKafka(): Promise<SourceWorld> {
  await using opening = new AsyncDisposableStack();
  const { path } = opening.use(await openTemporaryFolder());
  const [port, controllerPort] = await freePair();
  const start = () => startKafka({ dataDir: `${path}/kafka`, port, controllerPort });
  let kafka = await start();
  opening.defer(() => kafka.stop());
  const connection = { brokers: kafka.brokers, clientId: 'source-under-test', log: () => {} };
  await ensureTopics(connection);
  let revision = 0;
  const resources = opening.move();
  return {
    source: kafkaRevisionSource(connection),
    brings: 'revisions',
    async write() {
      // One that stayed open would still be about to connect again when others are counted.
      await using publisher = openKafkaPublisher(connection);
      await publisher.publishRevisions([sealed(++revision)]);
      return revision;
    },
    async breakConnections() {
      await kafka.kill();
      kafka = await start();
    },
    stop: () => kafka.stop(),
    async start() {
      kafka = await start();
    },
    async listeners() {
      const admin = kafkaClient(kafka.brokers).admin();
      await admin.connect();
      try {
        return (await admin.listGroups()).groups.map(({ groupId }) => groupId);
      } finally {
        await admin.disconnect();
      }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const hash = () => randomBytes(32).toString('hex');
/** The hashes are made up: a source takes revisions as they come. */
const sealed = (revision: number): RevisionRecord => ({
  revision,
  hash: hash(),
  previousHash: hash(),
  recordedAt: Date.now(),
  content: revisionCodec.encode({
    recordedAt: Date.now(),
    cuts: [
      {
        revocationId: 'rvk_1',
        kind: 'user',
        key: 'handle',
        tokenClass: 'token',
        ceiling: 1,
        sparedTokenId: null,
        coversUntil: null,
      },
    ],
  }),
});

describeRevisionSource('Kafka', !(await ownKafka('sources/kafka')), openKafka);
