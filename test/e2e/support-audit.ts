import { fromBinary } from '@bufbuild/protobuf';
import { type AuditEvent, AuditEventSchema } from '@touchstone/contracts/events';
import { openDatabase } from '@touchstone/store-postgres';
import type { SharedStack } from '../harness/shared-stack.ts';

/** What has been written on the audit trail of a tenant. */
export async function trailOf({ adminUrl }: SharedStack, tenantId: string): Promise<AuditEvent[]> {
  await using database = openDatabase({ url: adminUrl, applicationName: 'test', connectionsMax: 1 });
  const text = 'select payload from outbox where tenant_id = $1 order by id';
  const rows = await database.query({ text, values: [tenantId] });
  return rows.map(([payload]) => fromBinary(AuditEventSchema, payload as Buffer));
}

/** Of these, what tells of revocations. */
export const revokedOnTrail = async (stack: SharedStack, tenantId: string) =>
  (await trailOf(stack, tenantId)).flatMap(({ actor, act }) =>
    act.case === 'tokensRevoked' ? [{ by: actor?.kind, ...act.value }] : [],
  );
