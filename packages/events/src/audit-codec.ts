import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AuditEventSchema, type ConsentRecordedSchema, type TokenIssuedSchema } from '@touchstone/contracts/events';
import { type AuditAct, type AuditCodec, idOf } from '@touchstone/core';

/** Audit events as touchstone.events.v1.AuditEvent. */
export const auditCodec: AuditCodec = {
  encode({ tenantId, actor, act }, eventId, occurredAt) {
    const event = create(AuditEventSchema, {
      eventId,
      occurredAt: timestampFromMs(occurredAt),
      tenantId: tenantId ?? '',
      actor,
      act: messageOf(act),
    });
    return toBinary(AuditEventSchema, event);
  },
};

type ActMessage = NonNullable<MessageInitShape<typeof AuditEventSchema>['act']>;

function messageOf(act: AuditAct): ActMessage {
  switch (act.type) {
    case 'token_issued':
      return { case: 'tokenIssued', value: issueOf(act) };
    case 'issue_refused':
      return { case: 'issueRefused', value: act };
    case 'tokens_revoked':
      return { case: 'tokensRevoked', value: { ...act, revision: BigInt(act.revision) } };
    case 'registry_changed':
      return { case: 'registryChanged', value: act };
    case 'consent_recorded':
      return { case: 'consentRecorded', value: consentOf(act) };
  }
}

const consentOf = ({
  grants,
  ttl,
  ...consent
}: Extract<AuditAct, { type: 'consent_recorded' }>): MessageInitShape<typeof ConsentRecordedSchema> => ({
  ...consent,
  grants: grants.map(({ audience, scopes }) => ({ audience, scopes: [...scopes] })),
  ttl: durationFromMs(ttl * 1_000),
});

/** Field by field: a record holds more than may leave the database. */
function issueOf({
  record,
  credentialFor,
}: Extract<AuditAct, { type: 'token_issued' }>): MessageInitShape<typeof TokenIssuedSchema> {
  return {
    tokenId: idOf(record),
    appId: record.appId ?? '',
    userHandle: record.userHandle ?? '',
    audience: record.audience,
    scopes: [...record.scopes],
    method: record.method,
    usage: record.usage ?? '',
    consentId: record.consentId ?? '',
    expiresAt: timestampFromMs(record.expiresAt),
    credentialFor,
    parentTokenId: record.lineage[0]?.tokenId ?? '',
  };
}
