import { ensureTopics } from '@touchstone/events';
import { freePair, openTemporaryFolder, startKafka } from '@touchstone/local-stack';
import { expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { ownKafka } from './own-kafka.ts';
import { openOwnStack } from './own-stack.ts';
import { kafkaClient } from './topics.ts';
import { startTraffic } from './traffic.ts';
import { untilTrue } from './until.ts';

const waiting = `
  select (select h.revision - p.revision from history h)
         + (select count(*) from outbox o where (o.transaction_id, o.id) > (p.transaction_id, p.outbox_id))
    from relay_position p`;

/** What kafkajs says who asks about all topics. */
const noLeader = /There is no leader for this topic-partition/;

test.skipIf(!(await ownKafka('leaderless-topic')))(
  "services that start while a partition of somebody else's topic has no leader publish all that there is",
  async () => {
    await using folder = await openTemporaryFolder();
    const [[port, controllerPort], [otherPort]] = [await freePair(), await freePair()];
    const node = { dataDir: `${folder.path}/kafka`, port, controllerPort };
    await using kafka = await startKafka(node);
    await ensureTopics({ brokers: kafka.brokers, clientId: 'leaderless', log: () => {} });
    await using client = Object.assign(kafkaClient(kafka.brokers).admin(), {
      [Symbol.asyncDispose]: () => client.disconnect(),
    });
    {
      await using _other = await startKafka({ ...node, dataDir: `${folder.path}/other`, port: otherPort, joins: node });
      const replicaAssignment = [{ partition: 0, replicas: [2] }];
      await client.createTopics({ topics: [{ topic: 'somebody-elses', replicaAssignment }] });
    }
    const failure = () => client.listTopics().then(String, (error: Error) => error.message);
    await untilTrue('its partition has no leader', async () => noLeader.test(await failure()), 60_000);

    await using own = await openOwnStack({ kafka: kafka.brokers });
    await using admin = await openAdmin(own);
    const traffic = startTraffic(callsOf(own.stack, own.world));
    await untilTrue('some are revoked', () => traffic.report.revoked.length > 20);
    await traffic.stop();
    await untilTrue('all is published', async () => (await numberOf(admin, waiting)) === 0);
    expect(await failure()).toMatch(noLeader);
  },
  120_000,
);
