import type { AuditRecord, RevisionRecord } from '@touchstone/core';
import { encodeRevisionEvent } from '../revision-event.ts';

/** A CloudEvent in Kafka's binary mode (CloudEvents 1.0, Kafka protocol binding). */
export interface CloudEvent {
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
}

/** A revision. Its hash names it: another history may have one of the same number. */
export function revisionCloudEvent(revision: RevisionRecord): CloudEvent {
  return {
    key: null,
    value: asBuffer(encodeRevisionEvent(revision)),
    headers: {
      ...headersOf('touchstone.events.v1.RevocationEvent', revision.hash, 'touchstone/revisions', revision.revision),
      ce_time: timeText(revision.recordedAt),
    },
  };
}

/** An audit event, on its tenant's partition; acts of the installation are together under the empty key. */
export function auditCloudEvent(record: AuditRecord): CloudEvent {
  const { eventId, tenantId, payload, occurredAt, writer, writerSequence } = record;
  return {
    key: tenantId ?? '',
    value: asBuffer(payload),
    headers: {
      ...headersOf('touchstone.events.v1.AuditEvent', eventId, writer, writerSequence),
      ce_time: timeText(occurredAt),
      ...(tenantId !== null && { ce_subject: tenantId }),
    },
  };
}

function headersOf(type: string, id: string, source: string, sequence: number): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_type: type,
    ce_id: id,
    ce_source: source,
    ce_sequence: String(sequence),
    'content-type': 'application/protobuf',
  };
}

const timeText = (time: number): string => new Date(time).toISOString();
const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
