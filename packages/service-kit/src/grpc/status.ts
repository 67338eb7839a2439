import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';

/** How a call ends that failed. */
export function statusOf(error: unknown): StatusObject {
  const failure = failureOf(error);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(statusDetailsOf(failure)));
  return { code: failure.code, details: failure.message, metadata };
}
