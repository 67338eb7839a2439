import type { Publisher } from '../relay.ts';
import { auditCloudEvent, revisionCloudEvent } from './cloud-event.ts';
import { type KafkaConnection, type Topics, topics } from './connection.ts';
import { Sender } from './sender.ts';

export interface KafkaPublisherOptions extends KafkaConnection {
  readonly topics?: Topics;
}

/** Publishes to Kafka. Close it when nothing is to be published any more. */
export interface KafkaPublisher extends Publisher, AsyncDisposable {}

/**
 * Publishes revisions to the one partition of their topic, and audit events to partitions by tenant, as CloudEvents. It
 * connects when there is something to publish. Its promises reject with KafkaUnavailable; the same call may be made again.
 */
export function openKafkaPublisher({ topics: names = topics, ...connection }: KafkaPublisherOptions): KafkaPublisher {
  const revisions = new Sender(connection, names.revocations);
  const audit = new Sender(connection, names.audit);
  return {
    publishRevisions: (all) => revisions.send(all.map((one) => ({ ...revisionCloudEvent(one), partition: 0 }))),
    publishAudit: (all) => audit.send(all.map(auditCloudEvent)),
    async [Symbol.asyncDispose]() {
      await Promise.all([revisions[Symbol.asyncDispose](), audit[Symbol.asyncDispose]()]);
    },
  };
}
